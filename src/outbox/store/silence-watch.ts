import type { Clock, Timer } from "../../clock";
import type { Ask } from "./worker-protocol";

/** Nothing is sent before the file is open, so little patience is left for that. */
const openPatienceMs = 5000;
const patienceMs = 30_000;
/** After a stall of the process, answers that have come in are read first. */
const readingMs = 100;

/** Notices when the disk does not answer: slow network storage, or a card that is about to die. */
export class SilenceWatch {
    readonly #clock: Clock;
    readonly #silent: (request: Ask, seconds: number) => void;
    /** What has not been answered, in order. */
    readonly #outstanding = new Set<WatchedRequest>();
    #timer: Timer | undefined;
    #lastAnswerMs = Number.NEGATIVE_INFINITY;

    /** @param silent called for the oldest request when nothing has been answered for too long, and not again before the next answer */
    constructor(clock: Clock, silent: (request: Ask, seconds: number) => void) {
        this.#clock = clock;
        this.#silent = silent;
    }

    /** The disk is asked for something; the result is for `answered`. */
    asked(request: Ask): WatchedRequest {
        const watched = { request, askedMs: this.#clock.monotonicMs() };
        this.#outstanding.add(watched);
        if (this.#outstanding.size === 1) this.#arm();
        return watched;
    }

    answered(watched: WatchedRequest): void {
        this.#outstanding.delete(watched);
        this.#lastAnswerMs = this.#clock.monotonicMs();
        this.#arm();
    }

    #arm(): void {
        this.#timer?.cancel();
        const [oldest] = this.#outstanding;
        if (!oldest) return;
        const { request, askedMs } = oldest;
        const allowedMs = request.kind === "open" ? openPatienceMs : patienceMs;
        const leftMs = Math.max(askedMs, this.#lastAnswerMs) + allowedMs - this.#clock.monotonicMs();
        this.#timer = this.#clock.setTimer(leftMs - readingMs, () => {
            this.#timer = this.#clock.setTimer(readingMs, () => this.#silent(request, allowedMs / 1000));
        });
    }
}

/** A request that waits for its answer. */
export interface WatchedRequest {
    readonly request: Ask;
    readonly askedMs: number;
}
