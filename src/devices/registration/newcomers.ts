import type { Clock, Timer } from "../../clock";
import { setPatientTimer } from "./patient-timer";
import { confirmationMs } from "./pending-device";

/**
 * New devices on a server that has not shown yet whether it registers devices. They flow at once. What the server acknowledges of
 * one within 100 ms of its first acknowledgement stays open so long: a sign that it was dropped would come by then.
 */
export class Newcomers {
    readonly #clock: Clock;
    readonly #accepted: (device: string) => void;
    readonly #devices = new Map<string, Newcomer>();

    /** @param accepted called when the 100 ms of a device are over */
    constructor(clock: Clock, accepted: (device: string) => void) {
        this.#clock = clock;
        this.#accepted = accepted;
    }

    /** Something is sent of the device. */
    add(device: string): void {
        if (!this.#devices.has(device)) this.#devices.set(device, new Newcomer());
    }

    has(device: string): boolean {
        return this.#devices.has(device);
    }

    /** The server acknowledged a message of the device, which must be one of these. */
    acknowledged(device: string, acknowledgement: OpenAcknowledgement): void {
        const newcomer = this.#devices.get(device);
        if (!newcomer) return;
        newcomer.open.push(acknowledgement);
        newcomer.timer ??= setPatientTimer(this.#clock, confirmationMs, () => this.#accept(device, newcomer));
    }

    /** What is open of the device is taken back; it is none of these any more. */
    takeBack(device: string): void {
        const newcomer = this.#remove(device);
        for (const acknowledgement of newcomer?.open ?? []) acknowledgement.takenBack();
    }

    /** Takes back what is open of all devices; returns them. */
    takeBackAll(): string[] {
        const devices = [...this.#devices.keys()];
        for (const device of devices) this.takeBack(device);
        return devices;
    }

    /** The connection ended: no sign comes any more. What was acknowledged is settled. */
    end(): void {
        for (const [device, newcomer] of [...this.#devices]) {
            if (newcomer.open.length > 0) this.#accept(device, newcomer);
            else this.#remove(device);
        }
    }

    #accept(device: string, newcomer: Newcomer): void {
        if (this.#remove(device) !== newcomer) return;
        this.#accepted(device);
        for (const acknowledgement of newcomer.open) acknowledgement.settle();
    }

    #remove(device: string): Newcomer | undefined {
        const newcomer = this.#devices.get(device);
        this.#devices.delete(device);
        newcomer?.timer?.cancel();
        return newcomer;
    }
}

/** An acknowledged message whose fate is open. */
export interface OpenAcknowledgement {
    /** The server has kept the message. */
    settle(): void;
    /** The message is taken back. */
    takenBack(): void;
}

class Newcomer {
    readonly open: OpenAcknowledgement[] = [];
    timer: Timer | undefined;
}
