import type { Clock, Timer } from "../../clock";

/** How long a watch lasts without being renewed. */
const watchMs = 15_000;
const tickMs = 1_000;

/**
 * Publishes what people look at: a change at most once a second, and nothing when nobody looks. Somebody looks for 15 s after each
 * `watch`, so a page that is closed, offline or asleep needs not say so.
 */
export class LiveView {
    readonly #deps: LiveViewDeps;
    readonly #watches = new Map<string, Watch>();
    #timer: Timer | undefined;

    constructor(deps: LiveViewDeps) {
        this.#deps = deps;
    }

    /** Begins or renews the watch of a subject. Returns its view; undefined = there is no such subject. */
    watch(subject: string): object | undefined {
        const view = this.#deps.read(subject);
        if (!view) return undefined;
        const untilMs = this.#deps.clock.monotonicMs() + watchMs;
        const watch = this.#watches.get(subject);
        if (watch) watch.untilMs = untilMs;
        else this.#watches.set(subject, { untilMs, notified: JSON.stringify(view) });
        this.#timer ??= this.#deps.clock.setTimer(tickMs, () => this.#tick());
        return view;
    }

    /** How many subjects are watched. */
    get size(): number {
        return this.#watches.size;
    }

    #tick(): void {
        const nowMs = this.#deps.clock.monotonicMs();
        for (const [subject, watch] of this.#watches) {
            const view = watch.untilMs > nowMs ? this.#deps.read(subject) : undefined;
            if (view) this.#notify(subject, watch, view);
            else this.#watches.delete(subject);
        }
        this.#timer = this.#watches.size > 0 ? this.#deps.clock.setTimer(tickMs, () => this.#tick()) : undefined;
    }

    #notify(subject: string, watch: Watch, view: object): void {
        const text = JSON.stringify(view);
        if (text === watch.notified) return;
        watch.notified = text;
        this.#deps.publish(subject, view);
    }
}

/** What a live view reads from and publishes to. */
export interface LiveViewDeps {
    readonly clock: Clock;
    /** The view of a subject at this moment; undefined = the subject is gone. */
    read(subject: string): object | undefined;
    /** Brings it to the listeners. */
    publish(subject: string, view: object): void;
}

interface Watch {
    /** Monotonic milliseconds. */
    untilMs: number;
    notified: string;
}
