import type { Answer } from "./answer";
import type { Firmware, ManagedDevice } from "./managed-device";

/** Why the work on one device ended before its time. */
export class DialogueEnded extends Error {
    override readonly name = "DialogueEnded";
    /** What the device answered, where it did. */
    readonly rc: number | undefined;

    constructor(message: string, rc?: number) {
        super(message);
        this.rc = rc;
    }
}

/** Sends a request to the device; the answer comes later through `answer`. */
export type Sender = (dialogue: Dialogue, suffix: string, reqId: string, d: unknown) => void;

interface Waiting<T> {
    resolve: (value: T) => void;
    reject: (reason: DialogueEnded) => void;
}

/** The work of one management request on one device: questions, answers and what the device notifies, one after the other. */
export class Dialogue {
    readonly device: ManagedDevice;
    readonly #send: Sender;
    readonly #newId: () => string;
    #answer: (Waiting<Answer> & { reqId: string }) | undefined;
    #firmware: Waiting<Firmware> | undefined;
    #managed: Waiting<void> | undefined;
    /** The device has sent its manage request since it answered, before anybody waited for that. */
    #hasManaged = false;
    readonly #notified: Firmware[] = [];
    #ended: DialogueEnded | undefined;
    /** The id of the latest question. */
    reqId = "";

    constructor(device: ManagedDevice, newId: () => string, send: Sender) {
        this.device = device;
        this.#newId = newId;
        this.#send = send;
    }

    /** Asks the device and waits for its answer; fails when the answer is not the expected code. */
    async ask(suffix: string, expected: number, d?: unknown): Promise<Answer> {
        const reqId = this.#newId();
        const answer = await this.#wait<Answer>((waiting) => {
            this.reqId = reqId;
            this.#answer = { ...waiting, reqId };
            this.#send(this, suffix, reqId, d);
        });
        if (answer.rc !== expected) throw new DialogueEnded(answer.message ?? `The device answered ${answer.rc} to ${suffix}.`, answer.rc);
        return answer;
    }

    /** The next firmware value that the device notifies. */
    nextFirmware(): Promise<Firmware> {
        const notified = this.#notified.shift();
        if (notified) return Promise.resolve(notified);
        return this.#wait<Firmware>((waiting) => {
            this.#firmware = waiting;
        });
    }

    /** Waits until the device sends its manage request again, which is how it says that it is back. */
    managedAgain(): Promise<void> {
        if (this.#hasManaged) return Promise.resolve();
        return this.#wait<void>((waiting) => {
            this.#managed = waiting;
        });
    }

    /** An answer of the device came in; `false` when it belongs to no question that is open. */
    answer(reqId: string, answer: Answer): boolean {
        if (this.#answer?.reqId !== reqId) return false;
        const { resolve } = this.#answer;
        this.#answer = undefined;
        this.#hasManaged = false;
        resolve(answer);
        return true;
    }

    /** The device notified its firmware. */
    notified(firmware: Firmware): void {
        const waiting = this.#firmware;
        this.#firmware = undefined;
        if (waiting) waiting.resolve(firmware);
        else this.#notified.push(firmware);
    }

    /** The device sent its manage request. */
    managed(): void {
        const waiting = this.#managed;
        this.#managed = undefined;
        this.#hasManaged = true;
        waiting?.resolve();
    }

    /** Ends the work: whatever it waits for fails. */
    end(message: string): void {
        this.#ended ??= new DialogueEnded(message);
        for (const waiting of [this.#answer, this.#firmware, this.#managed]) waiting?.reject(this.#ended);
        this.#answer = this.#firmware = this.#managed = undefined;
    }

    #wait<T>(begin: (waiting: Waiting<T>) => void): Promise<T> {
        if (this.#ended) return Promise.reject(this.#ended);
        return new Promise((resolve, reject) => begin({ resolve, reject }));
    }
}
