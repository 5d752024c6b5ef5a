import assert from "node:assert/strict";
import type { SeededRandom } from "../../../support/seeded-random";
import { waitFor } from "../../../support/wait-for";
import { OrderCheck } from "../order";
import type { SeenPublish } from "../recording-proxy";
import type { Fault } from "./faults";
import type { Stage } from "./stage";

/** What came of one round. */
export interface RoundResult {
    readonly kind: string;
    readonly eventsDone: number;
    readonly eventsLost: number;
    /** Events that were overtaken by a later one of the same device and priority, and commands by a later one of the same device. */
    readonly outOfOrder: number;
    readonly eventsSentTwice: number;
    readonly commandsSent: number;
    readonly commandsLost: number;
    readonly commandsTakenTwice: number;
    /** Commands that the broker lost when it was killed. */
    readonly commandsLostByBroker: number;
    /** The longest time without an acknowledgement of an event. */
    readonly outageMs: number;
    /** The statuses that showed the fault, and the codes of the errors that were raised. */
    readonly statuses: readonly string[];
    readonly codes: readonly string[];
    /** Memory of Node-RED when it has come to rest. */
    readonly usedBytes: number;
}

const settleMs = 180_000;
/** Between two rests; a leak of one event each round would not show, one of each event would. */
const allowedGrowthBytes = 16 * 1_048_576;

/** Causes one fault after the other under load, and checks after each of them what must always hold. */
export class Campaign {
    readonly #orders = { sent: new OrderCheck(), received: new OrderCheck(), commands: new OrderCheck() };
    #firstUsedBytes: number | undefined;

    constructor(
        private readonly stage: Stage,
        private readonly random: SeededRandom,
    ) {}

    /** One round: load, the fault, recovery, rest, check. Fails when anything is lost, out of order or not reported. */
    async round(fault: Fault): Promise<RoundResult> {
        const { stage, random } = this;
        await stage.useServer(fault.isOnPlatform ? "platform" : "broker");
        const { application, nodeRed, recorder } = stage;
        const someDone = () => nodeRed.moreDone(random.integer(20, 400));
        const connections = recorder.accepted;
        const { sent } = await nodeRed.load();
        nodeRed.pause(false);
        application.isSending = true;
        await someDone();
        await fault.run({ stage, random, shown: () => stage.shown(fault.sign), someDone });
        await this.#online();
        await someDone();
        application.isSending = false;
        nodeRed.pause(true);
        const { usedBytes } = await this.#rest(fault.restartsNodes ? undefined : sent);
        assert.equal((await nodeRed.state())?.unaccounted, 0, "the counts of the events do not add up");
        await nodeRed.assertNoSecrets();
        if (!fault.killsBroker) await this.#applicationHasAll();
        if (fault.keepsConnection) assert.equal(recorder.accepted, connections, "the connection was not kept");
        if (!fault.sign) assert.deepEqual(nodeRed.record.problems, [], "errors were raised although nothing was down");
        this.#checkMemory(usedBytes);
        const result = this.#result(fault, usedBytes);
        stage.forget();
        return result;
    }

    async #online(): Promise<void> {
        const isOnline = async () => (await this.stage.nodeRed.state())?.isOnline;
        await waitFor(isOnline, "the gateway to be online again", settleMs);
    }

    /** Waits until nothing is under way any more. */
    async #rest(sentBefore: number | undefined): Promise<{ usedBytes: number }> {
        const { application, nodeRed, recorder } = this.stage;
        const { record } = nodeRed;
        let lastSent = -1;
        return waitFor(
            async () => {
                const state = await nodeRed.state();
                const isGatewayStill = state?.isOnline && state.queuedEvents === 0 && recorder.inFlight === 0;
                record.update();
                if (!isGatewayStill || !application.isQuiet || this.#missingCommands().length > 0) return undefined;
                const load = await nodeRed.load();
                const isSourceStill = load.sent === lastSent;
                lastSent = load.sent;
                const areAllDecided = sentBefore === undefined || record.done.length + record.failed.length === lastSent - sentBefore;
                return isSourceStill && areAllDecided ? load : undefined;
            },
            () => {
                const decided = `${record.done.length} done and ${record.failed.length} failed of ${lastSent - (sentBefore ?? Number.NaN)}`;
                return `everything to come to rest; ${decided}; missing commands: ${this.#missingCommands().slice(0, 5)}`;
            },
            settleMs,
        );
    }

    async #applicationHasAll(): Promise<void> {
        const { application, nodeRed } = this.stage;
        const missing = () => {
            const received = new Set(application.received);
            return nodeRed.record.done.filter((payload) => !received.has(payload));
        };
        await waitFor(
            () => missing().length === 0,
            () => `the application to have ${missing().slice(0, 5)}`,
        );
    }

    /** Commands that should have reached the flow: all but those that were in the hands of a broker that was killed. */
    #missingCommands(): string[] {
        const { application, nodeRed, recorder } = this.stage;
        const arrived = new Set(nodeRed.record.commands);
        const isDue = (command: string) => !application.excused.has(command) || recorder.acknowledgedCommands.has(command);
        return [...application.commands].filter((command) => isDue(command) && !arrived.has(command));
    }

    #checkMemory(usedBytes: number): void {
        this.#firstUsedBytes ??= usedBytes;
        const grownBytes = usedBytes - this.#firstUsedBytes;
        assert.ok(grownBytes < allowedGrowthBytes, `the memory of Node-RED has grown by ${grownBytes} bytes`);
    }

    #result(fault: Fault, usedBytes: number): RoundResult {
        const { application, nodeRed, recorder } = this.stage;
        const { record } = nodeRed;
        const lost = record.done.filter((payload) => !recorder.acknowledged.has(payload));
        assert.deepEqual(lost, [], "events were reported done and are lost");
        assert.deepEqual(record.failed, [], "events failed");
        assert.equal(new Set(record.done).size, record.done.length, "an event was reported done twice");
        const repeatedBefore = this.#orders.commands.repeated;
        const outOfOrder = this.#outOfOrder(fault);
        assert.deepEqual(outOfOrder, [], "events or commands are out of order");
        this.#checkRepetitions();
        const missingCommands = this.#missingCommands();
        assert.deepEqual(missingCommands, [], "commands are lost");
        const arrived = new Set(record.commands);
        return {
            kind: fault.kind,
            eventsDone: record.done.length,
            eventsLost: lost.length,
            outOfOrder: outOfOrder.length,
            eventsSentTwice: [...recorder.acknowledged.values()].reduce((sum, times) => sum + times - 1, 0),
            commandsSent: application.commands.size,
            commandsLost: missingCommands.length,
            commandsTakenTwice: this.#orders.commands.repeated - repeatedBefore,
            commandsLostByBroker: [...application.excused].filter((command) => !arrived.has(command)).length,
            outageMs: recorder.longestPauseMs,
            statuses: [...new Set(record.statuses.filter((text) => fault.sign?.status?.test(text)))],
            codes: [...new Set(record.problems.map(({ code }) => code))],
            usedBytes,
        };
    }

    /** What came after a later one of the same device and priority: to the broker, to the application, and of commands to the flow. */
    #outOfOrder(fault: Fault): string[] {
        const { application, nodeRed, recorder } = this.stage;
        const { sent, received, commands } = this.#orders;
        const taken = recorder.published.filter(({ isAcknowledged }) => isAcknowledged).map(({ payload }) => payload);
        const onEachConnection = recorder.published.map(({ connection, payload }) => `${connection}/${payload}`);
        return [
            ...new OrderCheck().violations(onEachConnection),
            ...sent.violations(taken),
            ...(fault.killsBroker ? [] : received.violations(application.received)),
            ...commands.violations(nodeRed.record.commands),
        ];
    }

    /** An event is sent again on the next connection only, and only if its acknowledgement may not have arrived. */
    #checkRepetitions(): void {
        const { published, endedInGoodOrder } = this.stage.recorder;
        const acknowledged = new Map<string, SeenPublish>();
        for (const publish of published) {
            const { connection, payload } = publish;
            const earlier = acknowledged.get(payload);
            assert.notEqual(earlier?.connection, connection, `${payload} was sent twice on one connection`);
            const wasKnown = earlier?.isAcknowledgedInTime === true && endedInGoodOrder.has(earlier.connection);
            assert.ok(!wasKnown, `${payload} was sent again although it was acknowledged before the gateway disconnected`);
            if (publish.isAcknowledged) acknowledged.set(payload, publish);
        }
    }
}
