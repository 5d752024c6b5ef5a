import type { OutboxEvent } from "../event";

/** The connection, as the outbox sees it. Must not throw. */
export interface EventLink {
    /** Sends an event; `settled` is called once: without an error when it is acknowledged, with one when the connection ended first. */
    send(event: OutboxEvent, settled: (error?: Error) => void): void;
    /** Whether the connection takes more now; when it does again, the outbox's `resume` is to be called. */
    isWritable(): boolean;
}
