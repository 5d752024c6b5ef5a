import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { generate } from "mqtt-packet";
import type { FileRequest } from "../../../src/outbox/store/worker-protocol";
import { readOrder } from "../../../src/simulator/management/request-order";
import { Simulator } from "../../../src/simulator/simulator";
import type { DiskAnswer, VirtualDisk } from "../../support/doubles/virtual-disk";
import { VirtualMachine } from "../../support/doubles/virtual-machine";
import { GatewayProcess } from "./gateway-process";
import type { EventAction, Step } from "./plan";
import { broken } from "./promises";

/** In memory, where the system has such a folder: nobody survives a power cut here, and flushing a file takes a third of the time. */
const quickFolder = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const clientId = "g:org:gw:gw1";
const usualLatencyMs = 20;
const usualDiskMs = 5;
const platformBackOffMs = 60_000;
const usualTtlMs = 168 * 3_600_000;

/** A process with a gateway, its disk, a line, and the platform, on one virtual machine; and what each of them saw. */
export class World implements VirtualDisk {
    readonly machine: VirtualMachine;
    readonly simulator: Simulator;
    readonly messages: SentMessage[] = [];
    /** The numbers of the events that the platform took, by device, in the order of arrival, repeats included. */
    readonly taken = new Map<string, number[]>();
    /** The numbers of the commands that were on their way to the gateway, and of those that a flow has worked on to the end. */
    readonly expectedCommands = new Set<number>();
    readonly finishedCommands = new Set<number>();
    /** The answers to each request of device management, by its id. */
    readonly answers = new Map<string, Set<string>>();
    /** What the platform asked of devices. */
    readonly requests: string[] = [];
    /** What was broken at a moment that has passed. */
    readonly violations: string[] = [];
    /** The events that came on the connection of the moment. */
    readonly #ofConnection = new Set<number>();
    /** On a connection that has met refusals, what was acknowledged shortly before one is sent again. */
    #isRefusing = false;
    #refusesUntilMs = 0;
    readonly #note: (text: string) => void;
    readonly #directory = mkdtempSync(path.join(quickFolder, "wiotp-simulation-"));
    #properties: Readonly<Record<string, string>> = {};
    #process: GatewayProcess | undefined;
    /** Ends the faults that are not over, and the pauses. */
    readonly #ends = new Set<() => void>();
    #countsLackSinceMs: number | undefined;
    #commands = 0;
    #latencyMs = usualLatencyMs;
    #diskMs = usualDiskMs;
    #isDiskFull = false;
    #isAnswerLost = false;

    /** @param note takes what happens, a line each */
    constructor(seed: number, note: (text: string) => void) {
        this.#note = note;
        this.machine = new VirtualMachine(seed, {
            latencyMs: () => this.#latencyMs,
            opened: (line) => this.simulator.serve(line.server),
        });
        const { clock, machine } = this.machine;
        this.simulator = new Simulator({
            organisation: "org",
            clock,
            createId: machine.createId,
            logSize: 0,
            registration: { backoffMs: platformBackOffMs },
        });
        this.simulator.observed.onPacket((packet) => {
            if (packet.command !== "connect") return;
            this.#ofConnection.clear();
            this.#isRefusing = clock.monotonicMs() < this.#refusesUntilMs;
        });
        const organisation = this.simulator.organisation("org");
        const publish = organisation.publish.bind(organisation);
        organisation.publish = (message) => {
            this.#arrived(message.topic, message.payload);
            return publish(message);
        };
    }

    /** The process that runs. */
    get process(): GatewayProcess {
        assert.ok(this.#process);
        return this.#process;
    }

    get isRunning(): boolean {
        return this.#process !== undefined;
    }

    /** Whether the gateway has nothing left to do. */
    get isAtRest(): boolean {
        const { connection, queued, commands } = this.process.watched.gateway.state;
        const haveArrived = [...this.expectedCommands].every((command) => this.finishedCommands.has(command));
        const isQuiet = connection.phase === "online" && queued === 0 && commands.inWork + commands.waiting === 0 && haveArrived;
        return isQuiet && this.requests.every((id) => this.simulator.organisation("org").management.requests.get(id)?.complete);
    }

    /** The filters that the platform has of the gateway. */
    get filtersOfPlatform(): readonly string[] {
        return [...(this.simulator.organisation("org").sessions.get(clientId)?.subscriptions.keys() ?? [])].sort();
    }

    /** The filters of what the process has registered. */
    get wantedFilters(): readonly string[] {
        return ["iot-2/type/+/id/+/cmd/+/fmt/+", "iot-2/type/gw/id/gw1/notify", "iotdm-1/type/+/id/+/#"];
    }

    /** Notes every packet that the platform gets from now on. */
    tracePackets(): void {
        this.simulator.observed.onPacket(({ command, topic = "", messageId = "", dup, payload = "" }) =>
            command === "pingreq" ? undefined : this.note(`  ${command} ${messageId} ${topic} ${payload}${dup ? " again" : ""}`),
        );
    }

    /** Carries out one step of a plan. */
    async execute(step: Step): Promise<void> {
        const { atMs, kind, ...details } = step;
        this.note(
            `${kind} ${Object.values(details)
                .map((value) => JSON.stringify(value))
                .join(" ")}`,
        );
        if (!this.#process) this.#start();
        const organisation = this.simulator.organisation("org");
        switch (step.kind) {
            case "event":
                return this.#publish(step);
            case "command":
                return this.#command(step.device);
            case "request":
                return this.#request(step.isRepeated);
            case "release":
                return void this.process.watched.gateway.actions.release({ typeId: "t", deviceId: step.device });
            case "forget":
                return void this.process.watched.gateway.actions.forget({ typeId: "t", deviceId: step.device });
            case "cut":
                return this.machine.lines.at(-1)?.cut();
            case "dead line":
                return this.machine.lines.at(-1)?.goDead();
            case "front end restarts":
                return this.simulator.restartFrontEnd({ downMs: 2_000 });
            case "other front end":
                return void this.simulator.moveToOtherFrontEnd(clientId);
            case "kill":
                return this.#kill();
            case "lost answer of the disk":
                this.#isAnswerLost = true;
                return;
            case "restart":
                this.#properties = step.properties;
                return this.stop();
            case "deploy":
                return this.#deploy(step.durationMs);
            case "full disk":
                this.#isDiskFull = true;
                return this.#later(step, () => {
                    this.#isDiskFull = false;
                });
            case "pause":
                return this.#pause(step.durationMs);
            case "take-over":
                return this.#takeOver(step);
            case "registration": {
                const end = this.simulator.faults.add({ fault: "registration", devices: step.devices, ...step.answer });
                organisation.forgetChecks();
                this.#isRefusing = true;
                this.#refusesUntilMs = this.machine.clock.monotonicMs() + step.durationMs + 2 * platformBackOffMs;
                return this.#later(step, () => {
                    end();
                    // What the registry has left unanswered is answered on a new connection only.
                    if (step.answer.never) this.simulator.restartFrontEnd();
                });
            }
            case "acknowledgements":
                return this.#troubleAcknowledgements(step);
            case "slow disk":
                this.#diskMs = step.delayMs;
                return this.#later(step, () => {
                    this.#diskMs = usualDiskMs;
                });
            case "latency":
                this.#latencyMs = step.latencyMs;
                return this.#later(step, () => {
                    this.#latencyMs = usualLatencyMs;
                });
            case "wall clock":
                return this.machine.clock.jump(this.machine.clock.now() + step.byMs);
        }
    }

    /** Whatever is not over ends now. */
    calm(): void {
        this.note("calm");
        for (const end of [...this.#ends]) end();
    }

    /** For how long the counts by priority have lacked events, if they do now. */
    countsLackForMs(isLacking: boolean): number {
        const nowMs = this.machine.clock.monotonicMs();
        this.#countsLackSinceMs = isLacking ? (this.#countsLackSinceMs ?? nowMs) : undefined;
        return nowMs - (this.#countsLackSinceMs ?? nowMs);
    }

    note(text: string): void {
        this.#note(`${(this.machine.clock.monotonicMs() / 1000).toFixed(3)} ${text}`);
    }

    delayMs(): number {
        return this.#diskMs;
    }

    /** What becomes of a request to the disk. */
    answer({ kind }: FileRequest): DiskAnswer {
        if (kind === "commit" && this.#isDiskFull) return "full";
        if (kind !== "commit" || !this.#isAnswerLost) return "done";
        this.#isAnswerLost = false;
        this.note("  the disk commits and says that it failed");
        return "done and failed";
    }

    /** Starts the process if none runs. */
    start(): void {
        if (!this.#process) this.#start();
    }

    /** The process ends in good order. */
    async stop(): Promise<void> {
        if (!this.#process) return;
        await this.#process.stop();
        assert.ok(
            this.machine.lines.every(({ client }) => client.destroyed),
            "a connection is left after the close",
        );
        this.#process = undefined;
        this.#orphan();
    }

    /** Ends everything. */
    async close(): Promise<void> {
        const closed = this.simulator.close();
        await this.machine.run(1_000);
        await closed;
        this.#process?.kill();
        rmSync(this.#directory, { recursive: true, force: true });
    }

    #start(): void {
        this.note("a process starts");
        this.#process = new GatewayProcess({
            machine: this.machine,
            directory: this.#directory,
            disk: this,
            properties: this.#properties,
            commandFinished: (command) => {
                this.note(`  the flow is done with command ${command}`);
                this.finishedCommands.add(command);
            },
            handedOver: (messageId, code) => this.#handedOver(messageId, code),
        });
    }

    #kill(): void {
        this.#process?.kill();
        this.#process = undefined;
        this.#orphan();
    }

    #orphan(): void {
        for (const message of this.messages) if (message.outcomes.length === 0) message.isOrphan = true;
    }

    #publish(action: EventAction): void {
        const number = this.messages.length;
        const sentMs = this.machine.clock.monotonicMs();
        const message: SentMessage = { ...action, number, sentMs, outcomes: [], isHandedOver: false, isOrphan: false };
        this.messages.push(message);
        const settled = (outcome: string): void => {
            this.note(`  event ${number} ${outcome}`);
            message.outcomes.push(outcome);
            this.#ended(message, outcome);
        };
        const { isLatest, device, completion, priority, qos, ttlMs } = action;
        this.process.watched.publish(device, number, {
            messageId: `m${number}`,
            eventId: isLatest ? "value" : "e",
            completion,
            priority,
            qos,
            isLatest,
            settled,
            ...(ttlMs !== undefined && { ttlMs }),
        });
    }

    /** The platform sends a command. One of QoS 1 waits for a gateway that is away. */
    #command(device: string): void {
        this.#commands += 1;
        const copies = this.simulator.publish("org", `iot-2/type/t/id/${device}/cmd/c/fmt/json`, String(this.#commands));
        if (copies > 0) this.expectedCommands.add(this.#commands);
    }

    #request(isRepeated: boolean): void {
        if (isRepeated) this.simulator.faults.add({ fault: "repeatRequest", times: 1 });
        const deviceId = "dm";
        const order = readOrder({ action: "device/reboot", devices: [{ typeId: "t", deviceId }] }, "600", null);
        if (typeof order !== "string") this.requests.push(this.simulator.organisation("org").management.requests.start(order));
    }

    async #deploy(durationMs: number): Promise<void> {
        const { gateway } = this.process.watched;
        gateway.flowsStopping();
        await this.machine.run(durationMs);
        gateway.flowsStarted();
    }

    #pause(durationMs: number): void {
        const { process } = this;
        const nobody = { done: () => undefined, failed: () => undefined };
        process.watched.gateway.controlLink("pause", nobody);
        this.#later({ durationMs }, () => {
            if (this.#process === process) process.watched.gateway.controlLink("resume", nobody);
        });
    }

    /** Another client uses the gateway's id for a while, and acknowledges nothing. */
    #takeOver({ isClean, durationMs }: { isClean: boolean; durationMs: number }): void {
        // With the session goes what the platform has not brought to an end.
        if (isClean)
            for (const command of this.expectedCommands) if (!this.finishedCommands.has(command)) this.expectedCommands.delete(command);
        const line = this.machine.newLine();
        this.simulator.serve(line.server);
        line.client.on("error", () => undefined);
        line.client.resume();
        line.client.write(
            generate({
                cmd: "connect",
                protocolId: "MQTT",
                protocolVersion: 4,
                clientId,
                clean: isClean,
                keepalive: 60,
                username: "use-token-auth",
                password: Buffer.from("any"),
            }),
        );
        this.#later({ durationMs }, () => line.client.destroy());
    }

    #troubleAcknowledgements({ delayMs, durationMs }: { delayMs: number; durationMs: number }): void {
        const scope = { clientId, topic: "*/evt/*" };
        const end = this.simulator.faults.add(
            delayMs === 0 ? { fault: "withholdPuback", ...scope } : { fault: "delayPuback", delayMs, ...scope },
        );
        this.#later({ durationMs }, () => {
            end();
            // What was withheld comes on a new connection only.
            if (delayMs === 0) this.simulator.restartFrontEnd();
        });
    }

    #later({ durationMs }: { durationMs: number }, action: () => void): void {
        const end = () => {
            if (!this.#ends.delete(end)) return;
            timer.cancel();
            this.note("  that is over");
            action();
        };
        const timer = this.machine.clock.setTimer(durationMs, end);
        this.#ends.add(end);
    }

    #handedOver(messageId: string, code: string): void {
        const message = this.messages[Number(messageId.slice(1))];
        if (!message) return;
        this.note(`  event ${message.number} is handed over: ${code}`);
        message.isHandedOver = true;
        this.#ended(message, code);
    }

    #ended({ number, ttlMs, sentMs }: SentMessage, code: string): void {
        const ageMs = this.machine.clock.monotonicMs() - sentMs;
        const isTooEarly = code === "GW_EXPIRED" && ageMs < (ttlMs ?? usualTtlMs) - 1_000;
        if (isTooEarly) this.violations.push(broken("age", `event ${number} expired after ${ageMs} ms`));
    }

    #arrived(topic: string, payload: Buffer): void {
        const [root, , , , device = "", kind] = topic.split("/");
        if (root === "iotdevice-1" && kind === "response") {
            const answer = payload.toString();
            const { reqId } = JSON.parse(answer);
            this.answers.set(reqId, (this.answers.get(reqId) ?? new Set()).add(answer));
        }
        if (root !== "iot-2" || kind !== "evt") return;
        const numbers = this.taken.get(device) ?? [];
        const number = Number(payload.toString());
        numbers.push(number);
        if (this.#ofConnection.has(number) && !this.#isRefusing)
            this.violations.push(broken("onceOnConnection", `event ${number} came twice`));
        this.#ofConnection.add(number);
        this.taken.set(device, numbers);
    }
}

/** A message of a flow, and what became of it. */
export interface SentMessage extends EventAction {
    readonly number: number;
    /** When the gateway got it (monotonic). */
    readonly sentMs: number;
    /** Every outcome that was reported: `done`, or an error code. More than one is a fault. */
    readonly outcomes: string[];
    /** Whether Catch nodes got it as undelivered. */
    isHandedOver: boolean;
    /** Whether the process that it was given to has ended without an outcome. */
    isOrphan: boolean;
}
