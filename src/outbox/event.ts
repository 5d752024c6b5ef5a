import { GatewayError } from "../errors";
import { translate } from "../i18n";

/** The message an event came from. Errors that appear after the message was completed carry it. */
export interface SourceMessage {
    readonly messageId: string;
    readonly nodeId: string;
    readonly eventId: string;
}

/** When the sender learns that its event is safe: acknowledged or on disk, whichever is first; or only acknowledged. */
export type CompletionMode = "safe" | "acknowledged";

/** How urgent an event is. */
export type Priority = "high" | "normal" | "low";

/** All priorities, the most urgent first. */
export const priorities: readonly Priority[] = ["high", "normal", "low"];

/**
 * A priority as a user gives it.
 * @throws GW_INVALID_PRIORITY
 */
export function parsePriority(value: unknown): Priority {
    const priority = priorities.find((known) => known === value);
    if (priority !== undefined) return priority;
    const isShort = value === null || typeof value === "number" || typeof value === "boolean";
    const described = isShort ? String(value) : translate("value.ofType", { type: typeof value });
    const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 20)) : described;
    throw new GatewayError("GW_INVALID_PRIORITY", translate("outbox.priority", { value: shown, choices: priorities.join(", ") }));
}

/** How a node wrote a payload: another one of the same settings writes the same bytes. */
export interface EventEncoding {
    readonly format: string;
    readonly wrap: boolean;
    /** Empty = none. */
    readonly timestampField: string;
}

/** Of an event whose node is not known to have any settings. */
export const plainEncoding: EventEncoding = { format: "", wrap: false, timestampField: "" };

/** An event as a node hands it over. Topic and payload are ready for the wire and within the platform's limits. */
export interface NewEvent {
    /** The key of the device in every map: `typeId/deviceId`. */
    readonly device: string;
    readonly topic: string;
    readonly payload: string | Buffer;
    /** What the event takes of the outbox: payload, event id and id of the message. */
    readonly bytes: number;
    readonly qos: 1 | 2;
    /** How long the event stays deliverable; never longer than the outbox's `maxAgeMs`, which is the default. */
    readonly ttlMs?: number | undefined;
    /** `normal` when absent. */
    readonly priority?: Priority | undefined;
    /** Whether only the newest such event of its node, device and event id waits. */
    readonly isLatest?: boolean | undefined;
    readonly completionMode: CompletionMode;
    readonly message: SourceMessage;
    /** Plain when absent. */
    readonly encoding?: EventEncoding | undefined;
    /** How often Catch nodes got it before it came back; 0 when absent. */
    readonly returns?: number | undefined;
}

/** An event in the outbox. */
export interface OutboxEvent {
    /** Grows with every event; the events of one device and priority are sent in this order. */
    readonly seq: number;
    readonly device: string;
    readonly priority: Priority;
    /** Whether a newer such event of its node, device and event id supersedes it while it waits. */
    readonly isLatest: boolean;
    readonly topic: string;
    readonly payload: string | Buffer;
    readonly bytes: number;
    readonly qos: 1 | 2;
    /** When the event entered the outbox, by the clock by which events age: no wall time. */
    readonly createdAt: number;
    /** From when on the event is no longer sent, by the same clock. */
    readonly expiresAt: number;
    readonly message: SourceMessage;
    readonly encoding: EventEncoding;
    /** How often Catch nodes got it before it came back. */
    readonly returns: number;
}

/** Notified of the outcome of one event: at most one call, exactly one unless the process ends first. Must not throw. */
export interface CompletionCallbacks {
    /** The event is safe, as far as its completion mode asks. */
    done(): void;
    /** The event will not be delivered. */
    failed(error: GatewayError): void;
    /**
     * The same, for an event that had been taken. Returns whether a Catch node got it; none is to get one that came back `maxReturns` times.
     * Without this member `failed` is called.
     */
    undelivered?(event: UndeliveredEvent): boolean;
}

/** Node-RED brings the error of a message no more often to Catch nodes that send it back. Then an event is only kept. */
export const maxReturns = 9;

/** An event that has ended for good without delivery, and why. */
export interface UndeliveredEvent {
    readonly event: OutboxEvent;
    readonly error: GatewayError;
    /** What the platform said of a refused one. */
    readonly refusal?: RefusalNote | undefined;
    /** Wall-clock milliseconds at which it entered and at which it ended. */
    readonly enteredAt: number;
    readonly endedAt: number;
}

/** What is known of a refusal; what the platform did not say is absent. */
export interface RefusalNote {
    readonly rc?: number;
    readonly message?: string;
    /** When, as the platform wrote it. */
    readonly time?: string;
    /** Whether the event is kept and will be sent again. */
    readonly willRetry: boolean;
    /** ISO 8601: until when the device is held. */
    readonly heldUntil?: string;
}
