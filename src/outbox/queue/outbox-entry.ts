import type { CompletionCallbacks, CompletionMode, OutboxEvent, SourceMessage } from "../event";
import type { DeviceQueue } from "./device-queue";
import type { EntryList } from "./entry-list";
import type { SpillQueue } from "./spill-queue";

/** Whether the store holds an event: not asked, waiting for the next group, in the group being written, or yes. */
export type Saved = "no" | "queued" | "writing" | "yes";

/** What a new event and one from the store have in common. */
export type EventContent = Pick<OutboxEvent, "device" | "topic" | "payload" | "bytes" | "qos" | "message">;

/** An event in memory with what the parts of the outbox note on it. One object an event: this is the hot path. */
export class OutboxEntry implements OutboxEvent {
    seq: number;
    readonly device: string;
    readonly topic: string;
    readonly payload: string | Buffer;
    readonly bytes: number;
    readonly qos: 1 | 2;
    createdAt: number;
    expiresAt: number;
    readonly message: SourceMessage;

    /** Monotonic milliseconds of admission, for the group-commit delay. */
    admittedMs = 0;
    /** Until told; afterwards errors go to the listener. */
    completion: CompletionCallbacks | undefined = undefined;
    completionMode: CompletionMode = "safe";
    saved: Saved = "no";
    /** Acknowledged, expired, dropped or refused: nobody touches it any more. */
    isFinished = false;
    /** Number of the transmission that is under way, 0 when none is: late answers to earlier ones are ignored. */
    transmission = 0;
    /** Whether the transmission under way, or just acknowledged, is the registration attempt of its device. */
    isRegistering = false;
    /** The device queue whose bytes include this event. */
    deviceQueue: DeviceQueue | undefined = undefined;
    /** The queue in whose unsaved tail the event waits for the store. */
    tailOf: SpillQueue | undefined = undefined;

    list: EntryList | undefined = undefined;
    next: OutboxEntry | undefined = undefined;
    previous: OutboxEntry | undefined = undefined;

    constructor(seq: number, event: EventContent, createdAt: number, expiresAt: number) {
        this.seq = seq;
        this.device = event.device;
        this.topic = event.topic;
        this.payload = event.payload;
        this.bytes = event.bytes;
        this.qos = event.qos;
        this.createdAt = createdAt;
        this.expiresAt = expiresAt;
        this.message = event.message;
    }
}
