import type { OutboxEvent } from "./event";

/**
 * `flow`: send. `register`: send this one event to register its device; the others wait behind it for the outcome.
 * `wait`: nothing of this device until it is woken. `hold`: the same, because the platform refused the device.
 */
export type GateAnswer = "flow" | "register" | "wait" | "hold";

/** Decides which devices may be sent for. Asked for each event about to be sent, so that the answer must be a map look-up. Must not throw. */
export interface DeviceGate {
    ask(device: string): GateAnswer;
    /** The registration attempt is about to be handed to the connection. */
    attemptSent(device: string, event: OutboxEvent): void;
    /** The platform acknowledged it; the event stays unsettled until the outbox is told to confirm, requeue or drop it. */
    attemptAcknowledged(device: string): void;
}

/** The connection, as the outbox sees it. Must not throw. */
export interface EventLink {
    /** Sends an event; `settled` is called once: without an error when it is acknowledged, with one when the connection ended first. */
    send(event: OutboxEvent, settled: (error?: Error) => void): void;
    /** Whether the connection takes more now; when it does again, the outbox's `resume` is to be called. */
    isWritable(): boolean;
}
