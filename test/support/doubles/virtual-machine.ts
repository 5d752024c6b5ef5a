import type { Machine } from "../../../src/gateway/machine";
import { openStore } from "../../../src/outbox/store/open-store";
import { SeededRandom } from "../seeded-random";
import { FakeClock } from "./fake-clock";
import { VirtualLine } from "./virtual-line";

/** After this number of turns of the event loop without a byte moved, nothing is under way: no chain of callbacks is longer. */
const quietTurns = 4;

/**
 * A machine without sockets, threads and real time. Its clock moves only while the process has nothing to do, to the next timer: hours take
 * seconds, and the same seed has the same history.
 */
export class VirtualMachine {
    readonly clock = new FakeClock();
    readonly random: SeededRandom;
    /** The lines that were opened, the latest last. */
    readonly lines: VirtualLine[] = [];
    readonly #options: VirtualMachineOptions;
    #movements = 0;
    #ids = 0;

    constructor(seed: number, options: VirtualMachineOptions) {
        this.random = new SeededRandom(seed);
        this.#options = options;
    }

    /** What a gateway takes from its machine. */
    get machine(): Machine {
        return {
            clock: this.clock,
            boot: this.clock,
            random: () => this.random.next(),
            createId: () => `id-${++this.#ids}`,
            openStream: () => {
                const line = this.newLine();
                this.lines.push(line);
                this.#options.opened(line);
                return { stream: line.client, stage: "open", certificate: undefined, ownCertificate: undefined, proxy: undefined };
            },
            openStore,
        };
    }

    /** A connection, both ends of which are here. */
    newLine(): VirtualLine {
        return new VirtualLine(this.clock, this.#options.latencyMs, () => {
            this.#movements += 1;
        });
    }

    /** Lets time pass until the condition holds, or for that long. Returns whether it holds. */
    async run(durationMs: number, condition: () => boolean = () => false): Promise<boolean> {
        const endMs = this.clock.monotonicMs() + durationMs;
        for (;;) {
            await this.#settle();
            if (condition()) return true;
            const leftMs = endMs - this.clock.monotonicMs();
            const nextMs = this.clock.nextTimerMs;
            if (leftMs <= 0 || nextMs === undefined) return false;
            this.clock.advance(Math.min(nextMs, leftMs));
        }
    }

    /** Lets turns of the event loop pass until nothing is left to do. */
    async #settle(): Promise<void> {
        for (let quiet = 0; quiet < quietTurns; quiet++) {
            const before = this.#movements;
            await new Promise((resolve) => setImmediate(resolve));
            if (this.#movements !== before) quiet = 0;
        }
    }
}

interface VirtualMachineOptions {
    /** How long a chunk takes from one end of a line to the other. */
    latencyMs(): number;
    /** The gateway opens a line; its other end is for the server. */
    opened(line: VirtualLine): void;
}
