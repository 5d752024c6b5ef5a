import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { openStore } from "../../../src/outbox/store/open-store";
import { StoreThreads } from "../../../src/outbox/store/store-threads";
import { Simulator } from "../../../src/simulator/simulator";
import { VirtualWorker } from "../../support/doubles/virtual-disk";
import { VirtualMachine } from "../../support/doubles/virtual-machine";
import { RecordedGateway } from "../../support/drivers/recorded-gateway";
import { ProcessClock } from "./process-clock";

const clientId = "g:org:gw:gw1";

/** A message of a flow, and what became of it. */
export interface SentMessage {
    readonly number: number;
    readonly device: string;
    readonly priority: "high" | "normal" | "low";
    /** Every outcome that was reported: `done`, or an error code. More than one is a fault. */
    readonly outcomes: string[];
    /** The codes of errors that came after it was done. */
    readonly late: string[];
    /** Whether the process that it was given to has died. */
    isOrphan: boolean;
}

/** A process with a gateway, its disk, a line, and the platform, on one virtual machine. */
export class World {
    readonly machine: VirtualMachine;
    readonly simulator: Simulator;
    readonly messages: SentMessage[] = [];
    /** The numbers of the events that the platform took, by device, in the order of arrival, repeats included. */
    readonly taken = new Map<string, number[]>();
    readonly trace: string[] = [];
    /** The numbers of the commands that were on their way to the gateway, and of those that a flow got. */
    readonly expectedCommands = new Set<number>();
    readonly receivedCommands = new Set<number>();
    commands = 0;
    latencyMs = 20;
    diskMs = 5;
    isDiskFull = false;
    readonly #directory = mkdtempSync(path.join(tmpdir(), "wiotp-simulation-"));
    #process: GatewayProcess | undefined;

    constructor(seed: number) {
        this.machine = new VirtualMachine(seed, { latencyMs: () => this.latencyMs, opened: (line) => this.simulator.serve(line.server) });
        const { clock } = this.machine;
        const { createId } = this.machine.machine;
        this.simulator = new Simulator({ organisation: "org", clock, createId, logSize: 0, registration: { backoffMs: 60_000 } });
        const organisation = this.simulator.organisation("org");
        const publish = organisation.publish.bind(organisation);
        organisation.publish = (message) => {
            this.#arrived(message.topic, message.payload);
            return publish(message);
        };
    }

    get isRunning(): boolean {
        return this.#process !== undefined;
    }

    get gateway(): RecordedGateway {
        assert.ok(this.#process);
        return this.#process.watched;
    }

    /** Starts a process on what is on the disk. */
    start(): void {
        this.note("start");
        const clock = new ProcessClock(this.machine.clock);
        const workers: VirtualWorker[] = [];
        const disk = { delayMs: () => this.diskMs, fails: ({ kind }: { kind: string }) => this.isDiskFull && kind === "commit" };
        const threads = new StoreThreads({
            clock,
            startWorker: () => {
                const worker = new VirtualWorker(this.machine.clock, disk);
                workers.push(worker);
                return worker;
            },
        });
        const machine = {
            ...this.machine.machine,
            clock,
            openStore: (options: Parameters<typeof openStore>[0]) => ({
                ...openStore({ ...options, threads }),
                size: () => Promise.resolve(0),
            }),
        };
        const watched = new RecordedGateway(1883, {
            machine,
            outbox: "disk",
            userDir: this.#directory,
            cleanSession: false,
            registrationBackoff: "60",
        });
        this.#process = { watched, clock, workers };
        watched.receiveNotifications();
        watched.receiveCommands();
        watched.gateway.start();
        watched.gateway.flowsStarted();
    }

    /** The process dies at once. */
    kill(): void {
        if (!this.#process) return;
        this.note("kill");
        const { clock, workers } = this.#process;
        this.#collect();
        this.#process = undefined;
        clock.kill();
        for (const worker of workers) worker.end();
        for (const line of this.machine.lines) line.cut();
        for (const message of this.messages) if (message.outcomes.length === 0) message.isOrphan = true;
    }

    /** The process ends in good order. */
    async stop(): Promise<void> {
        if (!this.#process) return;
        this.note("stop");
        const { watched, clock, workers } = this.#process;
        let isClosed = false;
        watched.gateway.flowsStopping();
        const closed = watched.close().then(() => {
            isClosed = true;
        });
        await this.machine.run(60_000, () => isClosed);
        assert.ok(isClosed, "the gateway does not close");
        await closed;
        await this.machine.run(5_000);
        this.#collect();
        this.#process = undefined;
        assert.equal(clock.timerCount, 0, "timers left after the close");
        for (const worker of workers) worker.end();
        for (const message of this.messages) if (message.outcomes.length === 0) message.isOrphan = true;
    }

    publish(device: string, priority: SentMessage["priority"]): void {
        if (!this.#process) return;
        const message: SentMessage = { number: this.messages.length, device, priority, outcomes: [], late: [], isOrphan: false };
        this.messages.push(message);
        const { watched } = this.#process;
        const completion = this.machine.random.next() < 0.5 ? "safe" : "acknowledged";
        const settled = (outcome: string): void => void message.outcomes.push(outcome);
        watched.gateway.publishEvent(
            {
                device: { typeId: "t", deviceId: device },
                eventId: "e",
                format: "json",
                payload: String(message.number),
                qos: 1,
                completionMode: completion,
                ttlMs: undefined,
                priority,
                messageId: `m${message.number}`,
                nodeId: "event-node",
            },
            { done: () => settled("done"), failed: (error) => settled(error.code) },
        );
    }

    note(text: string): void {
        this.trace.push(`${(this.machine.clock.monotonicMs() / 1000).toFixed(3)} ${text}`);
    }

    /** The line of the moment is cut. */
    cut(): void {
        this.note("cut");
        this.machine.lines.at(-1)?.cut();
    }

    goDead(): void {
        this.note("dead line");
        this.machine.lines.at(-1)?.goDead();
    }

    restartFrontEnd(): void {
        this.note("front end restarts");
        this.simulator.restartFrontEnd({ downMs: 2_000 });
    }

    moveToOtherFrontEnd(): void {
        this.note("other front end");
        this.simulator.moveToOtherFrontEnd(clientId);
    }

    /** The platform refuses the next first messages of some devices, or does not answer them for a while. */
    async troubleRegistration(): Promise<void> {
        const { random } = this.machine;
        const devices = `t/d${random.integer(0, 1)}*`;
        const answers = [{ rc: 177 }, { rc: 173 }, { never: true }, { delayMs: 5_000 }];
        const answer = answers[random.integer(0, answers.length - 1)] ?? {};
        this.note(`registration of ${devices}: ${JSON.stringify(answer)}`);
        const end = this.simulator.faults.add({ fault: "registration", devices, ...answer });
        this.simulator.organisation("org").forgetChecks();
        await this.machine.run(random.integer(1, 300) * 1_000);
        end();
    }

    /** Acknowledgements of events are withheld, or late, for a while. */
    async troubleAcknowledgements(): Promise<void> {
        const { random } = this.machine;
        const delayMs = random.integer(0, 1) * random.integer(100, 10_000);
        this.note(delayMs === 0 ? "no acknowledgements" : `acknowledgements after ${delayMs} ms`);
        const scope = { clientId, topic: "*/evt/*" };
        const end = this.simulator.faults.add(
            delayMs === 0 ? { fault: "withholdPuback", ...scope } : { fault: "delayPuback", delayMs, ...scope },
        );
        await this.machine.run(random.integer(1, 120) * 1_000);
        end();
    }

    /** A deploy that leaves the gateway as it is. */
    async deploy(): Promise<void> {
        if (!this.#process) return;
        this.note("deploy");
        const { gateway } = this.#process.watched;
        gateway.flowsStopping();
        await this.machine.run(this.machine.random.integer(0, 3_000));
        gateway.flowsStarted();
    }

    /** An operator forgets a device, or ends its hold. */
    operate(): void {
        if (!this.#process) return;
        const { actions } = this.#process.watched.gateway;
        const device = { typeId: "t", deviceId: `d${this.machine.random.integer(0, 19)}` };
        const isRelease = this.machine.random.next() < 0.5;
        this.note(`${isRelease ? "release" : "forget"} ${device.deviceId}`);
        if (isRelease) actions.release(device);
        else actions.forget(device);
    }

    /** The platform sends a command. One of QoS 1 waits for a gateway that is away. */
    command(): void {
        this.commands += 1;
        const topic = `iot-2/type/t/id/d${this.machine.random.integer(0, 19)}/cmd/c/fmt/json`;
        const copies = this.simulator.publish("org", topic, String(this.commands));
        if (copies > 0) this.expectedCommands.add(this.commands);
    }

    /** Ends everything. */
    async close(): Promise<void> {
        await this.stop();
        const closed = this.simulator.close();
        await this.machine.run(1_000);
        await closed;
        rmSync(this.#directory, { recursive: true, force: true });
    }

    /** Notes the commands that a flow got, and the errors that were reported of events that were done. */
    #collect(): void {
        for (const { payload } of this.#process?.watched.commands ?? []) this.receivedCommands.add(Number(payload.toString()));
        for (const { error, message } of this.#process?.watched.late ?? []) {
            this.messages[Number(message._msgid.slice(1))]?.late.push(error.code);
        }
    }

    #arrived(topic: string, payload: Buffer): void {
        const [root, , , , device = "", kind] = topic.split("/");
        if (root !== "iot-2" || kind !== "evt") return;
        const numbers = this.taken.get(device) ?? [];
        numbers.push(Number(payload.toString()));
        this.taken.set(device, numbers);
    }
}

interface GatewayProcess {
    readonly watched: RecordedGateway;
    readonly clock: ProcessClock;
    readonly workers: readonly VirtualWorker[];
}
