import type { GatewayError } from "../../../src/errors";
import type { CompletionCallbacks, NewEvent, OutboxEvent, UndeliveredEvent } from "../../../src/outbox/event";
import type { EventLifecycleListener } from "../../../src/outbox/event-lifecycle";
import type { OutboxLimits } from "../../../src/outbox/outbox-limits";

/** The limits a test does not care about. */
export const roomyLimits: OutboxLimits = {
    maxBytes: 100_000_000,
    reservedShare: 0,
    maxKeptBytes: 10_000_000,
    maxAgeMs: 168 * 3_600_000,
    whenFull: "reject",
    maxRate: 0,
    maxInFlight: 100,
    acceptsOffline: true,
};

/** An event with `text` as its payload. */
export function newEvent(device: string, text: string, options: Partial<NewEvent> = {}): NewEvent {
    return {
        device,
        topic: `iot-2/type/${device.replace("/", "/id/")}/evt/status/fmt/text`,
        payload: text,
        bytes: Buffer.byteLength(text),
        qos: 1,
        completionMode: "safe",
        message: { messageId: `message-${text}`, nodeId: "node", eventId: "status" },
        ...options,
    };
}

/** An event as a store holds it. */
export function storedEvent(seq: number, device: string, options: Partial<OutboxEvent> = {}): OutboxEvent {
    const createdAt = Date.UTC(2026, 0, 1);
    const { topic, payload, bytes, qos, message } = newEvent(device, `event ${seq}`);
    return {
        seq,
        device,
        priority: "normal",
        isLatest: false,
        topic,
        payload,
        bytes,
        qos,
        createdAt,
        expiresAt: createdAt + 3_600_000,
        message,
        encoding: { format: "text", wrap: false, timestampField: "" },
        returns: 0,
        ...options,
    };
}

/** Records the outcome of an event, and fails on a second one. */
export class RecordedCompletion implements CompletionCallbacks {
    outcome: "open" | "done" | "failed" = "open";
    error: GatewayError | undefined;

    done(): void {
        this.#settle("done");
    }

    failed(error: GatewayError): void {
        this.error = error;
        this.#settle("failed");
    }

    #settle(outcome: "done" | "failed"): void {
        if (this.outcome !== "open") throw new Error(`reported ${outcome} after ${this.outcome}`);
        this.outcome = outcome;
    }
}

/** Records what the outbox reports of events that were completed before. */
export class RecordingListener implements EventLifecycleListener {
    readonly late: (Pick<UndeliveredEvent, "error" | "event"> & Partial<UndeliveredEvent>)[] = [];
    /** Events that came back too often. */
    readonly looping: UndeliveredEvent[] = [];
    /** What `undelivered` answers: whether a Catch node gets the events, or nobody is there. */
    isCaught: boolean | undefined = true;

    undelivered(undelivered: UndeliveredEvent): boolean | undefined {
        if (this.isCaught !== undefined) this.late.push(undelivered);
        return this.isCaught;
    }

    returnedTooOften(undelivered: UndeliveredEvent): void {
        this.looping.push(undelivered);
    }

    lateError(error: GatewayError, event: OutboxEvent): void {
        this.late.push({ error, event });
    }
}
