import type { Answer } from "./answer";
import type { Firmware, ManagedDevice } from "./managed-device";

/** The exchange of one management request with one device: it sends a question, waits for the answer or a notify, and goes on. */
export class Dialogue {
    readonly device: ManagedDevice;
    readonly #send: Sender;
    readonly #newId: () => string;
    #answer: (Waiting<Answer> & { reqId: string }) | undefined;
    #firmware: Waiting<Firmware> | undefined;
    #managed: Waiting<void> | undefined;
    /** The device sent its manage request after its answer, before `managedAgain` was called. */
    #hasManaged = false;
    readonly #notified: Firmware[] = [];
    #ended: DialogueEnded | undefined;
    #reqId = "";

    constructor(device: ManagedDevice, newId: () => string, send: Sender) {
        this.device = device;
        this.#newId = newId;
        this.#send = send;
    }

    /** The id of the latest question. */
    get reqId(): string {
        return this.#reqId;
    }

    /** Asks the device and waits for its answer. Rejects with `DialogueEnded` if the answer has another code than expected. */
    async ask(suffix: string, expected: number, d?: unknown): Promise<Answer> {
        const reqId = this.#newId();
        const answer = await this.#wait<Answer>((waiting) => {
            this.#reqId = reqId;
            this.#answer = { ...waiting, reqId };
            this.#send(this, suffix, reqId, d);
        });
        if (answer.rc !== expected) throw new DialogueEnded(answer.message ?? `The device answered ${answer.rc} to ${suffix}.`, answer.rc);
        return answer;
    }

    /** The next firmware value that the device notifies. Values that arrived earlier are kept. */
    nextFirmware(): Promise<Firmware> {
        const notified = this.#notified.shift();
        if (notified) return Promise.resolve(notified);
        return this.#wait<Firmware>((waiting) => {
            this.#firmware = waiting;
        });
    }

    /** Waits until the device sends its manage request again, by which it reports that it has restarted. */
    managedAgain(): Promise<void> {
        if (this.#hasManaged) return Promise.resolve();
        return this.#wait<void>((waiting) => {
            this.#managed = waiting;
        });
    }

    /** Handles an answer of the device. Returns `false` if it belongs to no open question. */
    answer(reqId: string, answer: Answer): boolean {
        if (this.#answer?.reqId !== reqId) return false;
        const { resolve } = this.#answer;
        this.#answer = undefined;
        this.#hasManaged = false;
        resolve(answer);
        return true;
    }

    /** Handles a firmware value that the device notified. */
    notified(firmware: Firmware): void {
        const waiting = this.#firmware;
        this.#firmware = undefined;
        if (waiting) waiting.resolve(firmware);
        else this.#notified.push(firmware);
    }

    /** Handles a manage request of the device. */
    managed(): void {
        const waiting = this.#managed;
        this.#managed = undefined;
        this.#hasManaged = true;
        waiting?.resolve();
    }

    /** Ends the dialogue: what it waits for rejects. */
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

/** A dialogue that ended before its last step. */
export class DialogueEnded extends Error {
    override readonly name = "DialogueEnded";
    /** The code of the device's answer, if it answered. */
    readonly rc: number | undefined;

    constructor(message: string, rc?: number) {
        super(message);
        this.rc = rc;
    }
}

/** Sends a question to the device. The answer comes later through `answer`. */
export type Sender = (dialogue: Dialogue, suffix: string, reqId: string, d: unknown) => void;

interface Waiting<T> {
    resolve: (value: T) => void;
    reject: (reason: DialogueEnded) => void;
}
