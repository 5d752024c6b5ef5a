import assert from "node:assert/strict";
import type { GatewayError } from "../../../src/errors";
import type { FlowMessage } from "../../../src/management/flow-message";

import { type AttachedResponder, ManagementEngine, type ManagementEngineDeps } from "../../../src/management/management-engine";
import type { FirmwareStore } from "../../../src/management/ports";
import type { FirmwareReport, FlowOutcome, FlowRequest, ResponderCounts, ResponderOptions } from "../../../src/management/responder";
import { platformIds } from "../../../src/protocol/id-parser";
import type { DeviceAddress } from "../../../src/protocol/identity";
import { isRecord } from "../../../src/protocol/json";
import type { ManagementAnswer } from "../../../src/protocol/management";
import { FakeClock } from "./fake-clock";

/** A message the engine published. */
export interface Sent {
    readonly topic: string;
    readonly payload: string;
    readonly qos: 0 | 1;
    readonly json: Record<string, unknown>;
    readonly settled: (error?: Error) => void;
}

/** A store in memory that survives the engine, as a file would. */
export class FakeStore implements FirmwareStore {
    readonly values = new Map<string, string>();
    flushed: Promise<void> = Promise.resolve();

    *entries(kind: string): Iterable<[string, string]> {
        for (const [key, value] of this.values) if (key.startsWith(`${kind} `)) yield [key.slice(kind.length + 1), value];
    }

    put(kind: string, key: string, value: string): void {
        this.values.set(`${kind} ${key}`, value);
    }

    remove(kind: string, key: string): void {
        this.values.delete(`${kind} ${key}`);
    }

    flush(): Promise<void> {
        return this.flushed;
    }
}

/** The settings of a responder that a test does not care about. */
export const plainOptions: ResponderOptions = {
    target: { kind: "device" },
    manage: false,
    lifetimeS: 0,
    deviceActions: true,
    firmwareActions: true,
    bundles: ["b1"],
    deviceInfo: {},
    metadata: {},
    respond: "flow",
    timeoutMs: 30_000,
    replayed: "pass",
};

/** A responder that records everything it receives. */
export class TestResponder {
    readonly requests: FlowRequest[] = [];
    readonly reports: { report: FirmwareReport; answer: ManagementAnswer }[] = [];
    readonly raised: GatewayError[] = [];
    readonly warnings: string[] = [];
    readonly conflicts: (GatewayError | undefined)[] = [];
    counts: ResponderCounts | undefined;
    readonly attached: AttachedResponder;

    constructor(attach: ManagementEngine["attach"], options: Partial<ResponderOptions>) {
        this.attached = attach(
            { ...plainOptions, ...options },
            {
                requestReceived: (request) => this.requests.push(request),
                firmwareAnswered: (report, answer) => this.reports.push({ report, answer }),
                raised: (error) => this.raised.push(error),
                warned: (text) => this.warnings.push(text),
                conflictChanged: (error) => this.conflicts.push(error),
                countsChanged: (counts) => {
                    this.counts = counts;
                },
            },
        );
    }

    /** Sends a message in; the outcome, which comes once, is the returned array's only item. */
    input(message: FlowMessage): FlowOutcome[] {
        const outcomes: FlowOutcome[] = [];
        this.attached.input(message, (outcome) => {
            outcomes.push(outcome);
            assert.equal(outcomes.length, 1, "settled twice");
        });
        return outcomes;
    }

    /** The request received last, which must be there. */
    last(): FlowRequest {
        const request = this.requests.at(-1);
        assert.ok(request, "no request was received");
        return request;
    }

    /** Sends the last request back, as a flow does that answers it. */
    answer(changes: { rc?: unknown; message?: unknown; payload?: unknown } = {}): FlowOutcome[] {
        const { dm, payload } = this.last();
        return this.input(structuredClone({ dm, payload, ...changes }));
    }
}

/** A management engine with a platform made of arrays. */
export class ManagementBench {
    readonly clock = new FakeClock();
    readonly sent: Sent[] = [];
    readonly store: FakeStore;
    readonly engine: ManagementEngine;
    readonly gateway: DeviceAddress = { typeId: "mygw", deviceId: "gw1" };
    /** Whether publishes are acknowledged at once. */
    isAcknowledging = true;
    #ids = 0;

    constructor(parts: Partial<ManagementEngineDeps> = {}, store = new FakeStore()) {
        this.store = store;
        this.engine = new ManagementEngine({
            gateway: this.gateway,
            ids: platformIds,
            link: {
                publish: (_device, topic, payload, qos, settled) => {
                    const json: unknown = JSON.parse(payload);
                    assert.ok(isRecord(json));
                    this.sent.push({ topic, payload, qos, json, settled });
                    if (this.isAcknowledging) settled();
                },
            },
            store,
            clock: this.clock,
            random: () => 0.5,
            createId: () => `id-${++this.#ids}`,
            ...parts,
        });
        this.engine.restore();
    }

    /** Brings the connection up, with the subscription in place. */
    connect(): this {
        this.engine.linkUp();
        this.engine.listening();
        return this;
    }

    responder(options: Partial<ResponderOptions> = {}): TestResponder {
        return new TestResponder((settings, listener) => this.engine.attach(settings, listener), options);
    }

    /** A message of the platform for a device, by default s/1. */
    receive(suffix: string, payload: unknown, { device = "s/1", replayed = false } = {}): void {
        const [typeId, deviceId] = device.split("/");
        const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
        this.engine.received(`iotdm-1/type/${typeId}/id/${deviceId}/${suffix}`, bytes, replayed);
    }

    /** Takes everything that was sent since the last time. */
    take(): Sent[] {
        return this.sent.splice(0);
    }

    /** Takes the only message that was sent since the last time. */
    takeOne(): Sent {
        const [message, ...others] = this.take();
        assert.ok(message && others.length === 0, `${others.length + (message ? 1 : 0)} messages were sent, not one`);
        return message;
    }

    /** The platform answers one of our requests. */
    reply(request: Sent, rc: unknown, more: object = {}): void {
        const [, , typeId, , deviceId] = request.topic.split("/");
        this.receive("response", { rc, reqId: request.json.reqId, ...more }, { device: `${typeId}/${deviceId}` });
    }
}
