/** How messages are sent during one measurement. */
export interface Load {
    readonly messages: number;
    /** Messages under way at most: the next one follows the completion of an earlier one. */
    readonly window: number;
    /** Messages a second, whatever becomes of the earlier ones; 0 = as fast as the window allows. */
    readonly ratePerS: number;
}

/** What one measurement took in the process that was measured. */
export interface Spent {
    readonly messages: number;
    readonly failed: number;
    readonly firstError: string | undefined;
    /** Process CPU time of all threads, user and system. */
    readonly cpuUs: number;
    readonly wallMs: number;
    /** When each message was sent, on the machine's monotonic clock. */
    readonly sentAtMs: Float64Array;
    /** How long each message took to its completion, where the completion names it; otherwise 0. */
    readonly tookMs: Float64Array;
}

/** The offset from this process' `performance.now()` to the machine's monotonic clock, which all processes share. */
const offsetMs = measureOffset();

/** Milliseconds of the machine's monotonic clock. */
export function machineMs(): number {
    return performance.now() + offsetMs;
}

/** Sends the messages of a load and measures what the process spends until the last one is completed. */
export class Feeder {
    readonly #load: Load;
    readonly #send: (index: number) => void;
    readonly #sentAtMs: Float64Array;
    readonly #tookMs: Float64Array;
    readonly #startMs = machineMs();
    readonly #startCpu = process.cpuUsage();
    #sent = 0;
    #completed = 0;
    #failed = 0;
    #firstError: string | undefined;
    #finish: (spent: Spent) => void = () => undefined;

    private constructor(load: Load, send: (index: number) => void) {
        this.#load = load;
        this.#send = send;
        this.#sentAtMs = new Float64Array(load.messages);
        this.#tookMs = new Float64Array(load.messages);
    }

    /** Starts to send; `send` gets the index of each message. `completed` is to be called once for each of them. */
    static start(load: Load, send: (index: number) => void): { feeder: Feeder; spent: Promise<Spent> } {
        const feeder = new Feeder(load, send);
        const spent = new Promise<Spent>((resolve) => {
            feeder.#finish = resolve;
        });
        // Afterwards, because a message of QoS 0 may be completed before this returns.
        setImmediate(() => feeder.#begin());
        return { feeder, spent };
    }

    /** A message, the one with this index, was completed, or failed. */
    completed(error?: Error, index?: number): void {
        if (index !== undefined) this.#tookMs[index] = machineMs() - (this.#sentAtMs[index] ?? Number.NaN);
        this.#completed += 1;
        if (error) {
            this.#failed += 1;
            this.#firstError ??= String(error);
        }
        if (this.#completed === this.#load.messages) this.#finish(this.#spent());
        else if (this.#load.ratePerS === 0) this.#sendNext();
    }

    #begin(): void {
        if (this.#load.ratePerS > 0) this.#sendDue();
        else for (let count = 0; count < this.#load.window; count++) this.#sendNext();
    }

    #sendNext(): void {
        if (this.#sent === this.#load.messages) return;
        const index = this.#sent++;
        this.#sentAtMs[index] = machineMs();
        this.#send(index);
    }

    #sendDue(): void {
        const due = Math.min(((machineMs() - this.#startMs) * this.#load.ratePerS) / 1000, this.#load.messages);
        while (this.#sent < due) this.#sendNext();
        if (this.#sent < this.#load.messages) setTimeout(() => this.#sendDue(), 1);
    }

    #spent(): Spent {
        const { user, system } = process.cpuUsage(this.#startCpu);
        return {
            messages: this.#completed,
            failed: this.#failed,
            firstError: this.#firstError,
            cpuUs: user + system,
            wallMs: machineMs() - this.#startMs,
            sentAtMs: this.#sentAtMs,
            tookMs: this.#tookMs,
        };
    }
}

function measureOffset(): number {
    const measure = (): number => {
        const beforeMs = performance.now();
        const machineNs = process.hrtime.bigint();
        return Number(machineNs) / 1e6 - (beforeMs + performance.now()) / 2;
    };
    // The first call is slow, and slow between the two clocks.
    measure();
    return measure();
}
