import type { Clock } from "../../clock";
import type { StrayInterval, StrayPings } from "./stray-pings";

interface StrayWatchDeps {
    readonly clock: Clock;
    readonly strayPings: StrayPings;
    /** Calls `check` at this monotonic time. */
    readonly scheduleAt: (dueMs: number) => void;
}

/** Takes note of stray packets and notifications as they come in, and looks at each burst when it is over. */
export class StrayWatch {
    readonly #options: StrayWatchDeps;
    #isPlanned = false;

    constructor(options: StrayWatchDeps) {
        this.#options = options;
    }

    /** A stray packet came in. */
    strayPing(): void {
        const { clock, strayPings } = this.#options;
        strayPings.strayPing(clock.monotonicMs());
        this.#plan();
    }

    /** A notification of a failed registration came in. */
    notification(): void {
        const { clock, strayPings } = this.#options;
        strayPings.notification(clock.monotonicMs());
        this.#plan();
    }

    /** A planned look is due; returns when stray packets came that nothing explains. */
    check(): StrayInterval | undefined {
        const { clock, strayPings } = this.#options;
        this.#isPlanned = false;
        const unexplained = strayPings.takeUnexplained(clock.monotonicMs());
        this.#plan();
        return unexplained;
    }

    #plan(): void {
        const { dueMs } = this.#options.strayPings;
        if (dueMs === undefined || this.#isPlanned) return;
        this.#isPlanned = true;
        this.#options.scheduleAt(dueMs);
    }
}
