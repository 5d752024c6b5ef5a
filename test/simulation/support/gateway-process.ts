import assert from "node:assert/strict";
import { openStore } from "../../../src/outbox/store/open-store";
import { StoreThreads } from "../../../src/outbox/store/store-threads";
import { VirtualWorker } from "../../support/doubles/virtual-disk";
import type { VirtualMachine } from "../../support/doubles/virtual-machine";
import { commandSubscriber, RecordedGateway } from "../../support/drivers/recorded-gateway";
import { ProcessClock } from "./process-clock";
import { broken } from "./promises";

/** The longest that a flow takes with a command. */
const maxWorkMs = 20_000;

/** A Node-RED process with one gateway, on a virtual machine: what it has in memory dies with it. */
export class GatewayProcess {
    readonly watched: RecordedGateway;
    /** The commands that the flow works on, by their payload. */
    readonly #inWork = new Set<string>();
    /** The requests of device management that the flow got. */
    readonly #requests = new Set<string>();
    readonly #machine: VirtualMachine;
    readonly #clock: ProcessClock;
    /** The time of the flow, whose timers are not those of the gateway. */
    readonly #flow: ProcessClock;
    readonly #workers: VirtualWorker[] = [];
    #isDead = false;

    constructor(options: GatewayProcessOptions) {
        const { machine, directory, disk, properties } = options;
        this.#machine = machine;
        this.#clock = new ProcessClock(machine.clock);
        this.#flow = new ProcessClock(machine.clock);
        const threads = new StoreThreads({
            clock: this.#clock,
            startWorker: () => {
                const worker = new VirtualWorker(machine.clock, disk);
                this.#workers.push(worker);
                if (this.#isDead) worker.end();
                return worker;
            },
        });
        this.watched = new RecordedGateway(1883, {
            machine: {
                ...machine.machine,
                clock: this.#clock,
                openStream: (dial) => {
                    const stream = machine.machine.openStream(dial);
                    if (this.#isDead) machine.lines.at(-1)?.cut();
                    return stream;
                },
                // The size of the file is asked of the file system in a thread of Node.js.
                openStore: (store) => ({ ...openStore({ ...store, threads }), size: () => Promise.resolve(0) }),
            },
            outbox: "disk",
            userDir: directory,
            cleanSession: false,
            registrationBackoff: "60",
            ...properties,
        });
        this.#receive(options);
        this.watched.gateway.start();
        this.watched.gateway.flowsStarted();
    }

    /** The process dies at once. */
    kill(): void {
        // What it has begun may still run to its end, without a disk, a line and timers.
        this.#isDead = true;
        this.#clock.kill();
        this.#flow.kill();
        for (const worker of this.#workers) worker.end();
        for (const line of this.#machine.lines) line.cut();
    }

    /** The process ends in good order. */
    async stop(): Promise<void> {
        let isClosed = false;
        this.#flow.kill();
        this.watched.gateway.flowsStopping();
        const closed = this.watched.close().then(() => {
            isClosed = true;
        });
        await this.#machine.run(60_000, () => isClosed);
        assert.ok(isClosed, "the gateway does not close");
        await closed;
        await this.#machine.run(5_000);
        const { timerCount } = this.#clock;
        this.kill();
        assert.equal(timerCount, 0, "timers are left after the close");
    }

    /** As flows do: one acknowledges commands on receipt, the other one when it has worked on them. */
    #receive({ commandFinished, handedOver }: GatewayProcessOptions): void {
        const { gateway } = this.watched;
        this.watched.handedOver = handedOver;
        this.watched.receiveNotifications();
        this.watched.receiveCommands();
        const nodeId = "worker";
        const subscription = gateway.onCommand(
            commandSubscriber(
                ({ id, payload }) => {
                    const command = payload.toString();
                    assert.ok(!this.#inWork.has(command), broken("noneTwice", `command ${command}`));
                    this.#inWork.add(command);
                    this.#flow.setTimer(Math.floor(this.#machine.random.next() * maxWorkMs), () => {
                        this.#inWork.delete(command);
                        commandFinished(Number(command));
                        subscription.answered({ id, nodeId }, undefined, { done: () => undefined, failed: (error) => assert.fail(error) });
                    });
                },
                { nodeId, timeoutMs: 60_000, rejectionChanged: () => undefined },
            ),
        );
        gateway.respond(
            {
                target: { kind: "device", typeId: "t", deviceId: "dm" },
                manage: true,
                lifetimeS: 0,
                deviceActions: true,
                firmwareActions: false,
                bundles: [],
                deviceInfo: {},
                metadata: {},
                respond: "auto",
                timeoutMs: 10_000,
                replayed: "pass",
            },
            {
                requestReceived: ({ dm }) => {
                    const reqId = String(dm.reqId);
                    assert.ok(!this.#requests.has(reqId), broken("sameAnswer", `request ${reqId} came to the flow again`));
                    this.#requests.add(reqId);
                },
                firmwareAnswered: () => undefined,
                raised: () => undefined,
                warned: () => undefined,
                conflictChanged: () => undefined,
                countsChanged: () => undefined,
                rejectionChanged: () => undefined,
            },
        );
    }
}

interface GatewayProcessOptions {
    readonly machine: VirtualMachine;
    readonly directory: string;
    readonly disk: ConstructorParameters<typeof VirtualWorker>[1];
    readonly properties: Readonly<Record<string, unknown>>;
    /** The flow has worked on a command. */
    commandFinished(command: number): void;
    /** Catch nodes got an event as undelivered. */
    handedOver(messageId: string, code: string): void;
}
