import type { CompletionMode, EventEncoding, Priority } from "../../outbox/event";
import type { DeviceAddress } from "../../protocol/identity";
import type { EncodedPayload } from "../../protocol/payload";
import type { Qos } from "../../protocol/qos";

export { type CompletionMode, type EventEncoding, type Priority, parsePriority, priorities } from "../../outbox/event";

/**
 * When an event is done: `safe` = acknowledged by the platform or on disk, whichever is first; `acknowledged` = by the
 * platform only.
 */
export const completionModes: readonly CompletionMode[] = ["safe", "acknowledged"];

/** One event to publish, everything checked. */
export interface EventRequest {
    readonly device: DeviceAddress;
    readonly eventId: string;
    readonly format: string;
    readonly payload: EncodedPayload;
    readonly qos: Qos;
    readonly completionMode: CompletionMode;
    /** How urgent it is, where it is queued; `normal` when absent. */
    readonly priority?: Priority;
    /** Whether a newer such event of its node, device and event id supersedes it while it waits. */
    readonly isLatest?: boolean;
    /** How long the event stays deliverable, in milliseconds; undefined = the gateway's `outboxMaxAge`. */
    readonly ttlMs: number | undefined;
    /** How the node wrote the payload, besides its format; without wrap and time when absent. */
    readonly encoding?: EventEncoding;
    /** How often Catch nodes got the event before it came back; 0 when absent. */
    readonly returns?: number;
    /** The message and the node it came from, for errors that are known only later. */
    readonly messageId: string;
    readonly nodeId: string;
}
