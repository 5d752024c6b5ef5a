import type { ReceivedCommand } from "./command";

const maxMessages = 1_000;
const maxBytes = 4 * 1024 * 1024;

/**
 * Commands, and requests of device management, that wait for the flows: while these stop and start, and while as many commands as may be
 * are in work. They wait in memory, in the order in which they came. Beyond a thousand, or 4 MB, nothing more is to be read until half of
 * them have gone.
 */
export class FlowQueue {
    readonly #deps: FlowQueueDeps;
    #waiting: WaitingMessage[] = [];
    #bytes = 0;
    #isPaused = false;
    #isReadingHeld = false;

    constructor(deps: FlowQueueDeps) {
        this.#deps = deps;
    }

    /** How many commands and requests wait. */
    get size(): number {
        return this.#waiting.length;
    }

    /** Whether too many wait to read more. */
    get isReadingHeld(): boolean {
        return this.#isReadingHeld;
    }

    /** Hands a command over now, or in its turn. */
    pass(command: ReceivedCommand, accepted: () => void): void {
        const receivedMs = this.#deps.monotonicMs();
        if (!this.#isPaused && this.#waiting.length === 0 && this.#deps.handOver(command, receivedMs, accepted)) return;
        const { topic, payload } = command;
        // A piece of a chunk would keep the whole chunk in memory that it came in.
        const kept = { ...command, payload: Buffer.from(payload) };
        const bytes = topic.length + payload.length;
        this.#wait({ bytes, isCommand: true, pass: () => this.#deps.handOver(kept, receivedMs, accepted) });
    }

    /** Runs an action now, or when the flows run: it does not wait for commands in work. */
    run(bytes: number, action: () => void): void {
        if (!this.#isPaused) {
            action();
            return;
        }
        const pass = () => {
            action();
            return true;
        };
        this.#wait({ bytes, isCommand: false, pass });
    }

    /** From now on everything waits. */
    pause(): void {
        this.#isPaused = true;
    }

    /** Hands over what waits, in order, and everything that follows at once. */
    resume(): void {
        this.#isPaused = false;
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const message of waiting) {
            const isBehind = message.isCommand && this.#waiting.length > 0;
            if (isBehind || !message.pass()) this.#waiting.push(message);
            else this.#bytes -= message.bytes;
        }
        this.#checkBounds();
    }

    /** There is room for commands that wait. */
    drain(): void {
        for (let next = this.#next(); next; next = this.#next()) {
            if (!next.pass()) {
                this.#waiting.unshift(next);
                break;
            }
            this.#bytes -= next.bytes;
        }
        this.#checkBounds();
    }

    /** Forgets what waits: it was not acknowledged, and comes again where the server keeps the session. */
    clear(): void {
        this.#waiting = [];
        this.#bytes = 0;
        this.#checkBounds();
    }

    #next(): WaitingMessage | undefined {
        return this.#isPaused ? undefined : this.#waiting.shift();
    }

    #wait(message: WaitingMessage): void {
        this.#waiting.push(message);
        this.#bytes += message.bytes;
        this.#checkBounds();
    }

    #checkBounds(): void {
        const share = this.#isReadingHeld ? 2 : 1;
        const isFull = this.#waiting.length >= maxMessages / share || this.#bytes >= maxBytes / share;
        if (isFull === this.#isReadingHeld) return;
        this.#isReadingHeld = isFull;
        this.#deps.holdReading(isFull);
    }
}

/** What the queue needs of the rest. */
export interface FlowQueueDeps {
    monotonicMs(): number;
    /** Hands a command to the flows; false = as many as may be are in work. */
    handOver(command: ReceivedCommand, receivedMs: number, accepted: () => void): boolean;
    /** Whether anything more may be read from the server. */
    holdReading(isHeld: boolean): void;
}

interface WaitingMessage {
    readonly bytes: number;
    readonly isCommand: boolean;
    /** Hands it over; false = not now. */
    pass(): boolean;
}
