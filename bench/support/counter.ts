import { machineMs, type Spent } from "./feeder";
import { serve } from "./serve";

/** Counts received messages and measures what the process spends until the last one of a run is there. */
export class Counter {
    #receivedAtMs = new Float64Array(0);
    #received = 0;
    #total = 0;
    #startMs = 0;
    #startCpu = process.cpuUsage();
    #finish: ((spent: Spent) => void) | undefined;

    constructor() {
        serve("count", (messages) => this.#start(messages));
        serve("counted", async () => this.#total);
    }

    /** A message came. */
    received(): void {
        if (this.#received < this.#receivedAtMs.length) this.#receivedAtMs[this.#received] = machineMs();
        this.#received += 1;
        this.#total += 1;
        if (this.#received === this.#receivedAtMs.length) this.#end();
    }

    #start(messages: number): Promise<Spent> {
        this.#receivedAtMs = new Float64Array(messages);
        this.#received = 0;
        this.#startMs = machineMs();
        this.#startCpu = process.cpuUsage();
        return new Promise((resolve) => {
            this.#finish = resolve;
        });
    }

    #end(): void {
        const { user, system } = process.cpuUsage(this.#startCpu);
        this.#finish?.({
            messages: this.#received,
            failed: 0,
            firstError: undefined,
            cpuUs: user + system,
            wallMs: machineMs() - this.#startMs,
            sentAtMs: this.#receivedAtMs,
            tookMs: new Float64Array(0),
        });
    }
}
