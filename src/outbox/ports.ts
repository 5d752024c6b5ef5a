import type { GatewayError } from "../errors";
import type { OutboxEvent, RefusalNote } from "./event";

/**
 * Decides which devices may be sent for. Must not throw, and must not end the connection from inside a call.
 *
 * A device that was answered `wait` or `check` counts on a place, until the check has its outcome or `withdraw` is called.
 */
export interface DeviceGate {
    /** Called once, by the outbox: how the outcomes get back to it. */
    attach(verbs: DeviceVerbs): void;
    /** May the next event of this device be sent? `isHigh`: it has high priority. Asked for each event, so a look-up for a device that flows. */
    ask(device: string, isHigh: boolean): GateAnswer;
    /** Nothing of the device waits any more: its place goes to another. */
    withdraw(device: string): void;
    /** Whether the platform has accepted the device before. */
    isKnown(device: string): boolean;
    /** Whether the device is held: then what it queues counts towards the part of the outbox that held devices may use. */
    isHeld(device: string): boolean;
}

/**
 * `flow`: send. `check`: send exactly this one event; the device's others wait until `confirm`, `requeue`, `drop` or `recall`.
 * `wait`: nothing of the device until `wake`.
 */
export type GateAnswer = "flow" | "check" | "wait";

/** What was found out about one device, for its events. The calls may come from inside any call of the gate. */
export interface DeviceVerbs {
    /** The check succeeded: its event is done, and the device may flow. */
    confirm(device: string): void;
    /** The check failed for now: its event goes back to the head of the device's queue, which waits until `wake`. */
    requeue(device: string): void;
    /** The check failed for good: its event fails with this error, and the device's next one may ask. */
    drop(device: string, error: GatewayError): void;
    /**
     * Everything of the device that is not settled goes back to the head of its queue, in order, which waits until `wake`. Calls that still
     * come for those transmissions are ignored.
     */
    recall(device: string): void;
    /** The gate may answer differently now. Does nothing while a check is under way. */
    wake(device: string): void;
}

/** The connection, as the outbox sees it. Must not throw. */
export interface EventLink {
    /** Whether the connection takes more now; when it does again, the outbox's `resume` is to be called. */
    isWritable(): boolean;
    /** Sends an event; `isCheck`: the gate answered `check`. */
    send(event: OutboxEvent, isCheck: boolean, transmission: Transmission): void;
}

/** One sending of an event, for the link to report on. Calls for a transmission that is over are ignored. */
export interface Transmission {
    /**
     * The platform acknowledged the event: it leaves the in-flight window and, unless it is a check, is done for its sender. With `isOpen`
     * the platform may still show that it dropped the event, which is done when this is called again without it.
     */
    acknowledged(isOpen?: boolean): void;
    /** Nothing can be held against the event any more: the outbox lets go of it. Implies `acknowledged`. */
    settled(): void;
    /** The platform has acknowledged the event, and refuses it for good all the same. */
    refused(error: GatewayError, refusal: RefusalNote): void;
    /** The connection ended first; its end is reported to the outbox as well, and what is in flight goes back then. */
    failed(error: Error): void;
}
