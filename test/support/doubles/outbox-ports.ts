import type { OutboxEvent } from "../../../src/outbox/event";
import type { DeviceGate, DeviceVerbs, EventLink, GateAnswer, Transmission } from "../../../src/outbox/ports";

/** A connection whose acknowledgements are given by the test. */
export class ManualLink implements EventLink {
    /** Sent and not settled, in the order of sending. */
    pending: PendingTransmission[] = [];
    /** The payloads of everything that was sent. */
    readonly sent: string[] = [];
    writable = true;
    /** Whether an acknowledged event may still have to be sent again: then it is settled by `settle`. */
    retains = false;
    retained: PendingTransmission[] = [];
    onSend: ((event: OutboxEvent, isCheck: boolean) => void) | undefined;

    send(event: OutboxEvent, isCheck: boolean, transmission: Transmission): void {
        this.sent.push(String(event.payload));
        this.onSend?.(event, isCheck);
        this.pending.push({ event, isCheck, transmission });
    }

    isWritable(): boolean {
        return this.writable;
    }

    /** Acknowledges the first, or another, of the pending ones. */
    acknowledge(index = 0): OutboxEvent | undefined {
        const [first] = this.pending.splice(index, 1);
        if (first && this.retains) {
            this.retained.push(first);
            first.transmission.acknowledged();
        } else {
            first?.transmission.settled();
        }
        return first?.event;
    }

    /** Lets go of what is acknowledged. */
    settle(): void {
        const settled = this.retained;
        this.retained = [];
        for (const { transmission } of settled) transmission.settled();
    }

    acknowledgeAll(): void {
        while (this.pending.length > 0) this.acknowledge();
    }

    /** What a connection does when it ends; the caller notifies the outbox. */
    cut(): void {
        const lost = this.pending;
        this.pending = [];
        for (const { transmission } of lost) transmission.failed(new Error("connection lost"));
    }
}

/** An event on the wire. */
interface PendingTransmission {
    readonly event: OutboxEvent;
    readonly isCheck: boolean;
    readonly transmission: Transmission;
}

/** A gate whose answers are set by the test; devices flow unless it says otherwise. */
export class ManualGate implements DeviceGate {
    readonly answers = new Map<string, GateAnswer>();
    readonly withdrawn: string[] = [];
    /** Devices that the platform has accepted before. */
    readonly known = new Set<string>();
    readonly #held = new Set<string>();
    onAsk: ((device: string, isHigh: boolean) => GateAnswer) | undefined;
    onIsHeld: ((device: string) => boolean) | undefined;
    #verbs: DeviceVerbs | undefined;

    attach(verbs: DeviceVerbs): void {
        this.#verbs = verbs;
    }

    /** How the outbox learns what was found out about a device. */
    get verbs(): DeviceVerbs {
        if (!this.#verbs) throw new Error("No outbox has attached itself.");
        return this.#verbs;
    }

    ask(device: string, isHigh: boolean): GateAnswer {
        return this.onAsk?.(device, isHigh) ?? this.answers.get(device) ?? "flow";
    }

    withdraw(device: string): void {
        this.withdrawn.push(device);
    }

    isKnown(device: string): boolean {
        return this.known.has(device);
    }

    isHeld(device: string): boolean {
        return this.onIsHeld?.(device) ?? this.#held.has(device);
    }

    /** The device is held from now on. */
    hold(device: string): void {
        this.answers.set(device, "wait");
        this.#held.add(device);
    }

    /** The device flows again; the caller wakes it. */
    release(device: string): void {
        this.answers.delete(device);
        this.#held.delete(device);
    }
}
