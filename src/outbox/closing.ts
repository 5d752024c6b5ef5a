import type { Clock } from "../clock";
import type { EventLifecycle } from "./event-lifecycle";
import type { Dispatcher } from "./sending/dispatcher";
import type { EventStore } from "./store/store";
import type { GroupWriter } from "./storing/group-writer";

/** What closing an outbox involves. */
export interface ClosingOptions {
    readonly clock: Clock;
    readonly store: EventStore;
    readonly lifecycle: EventLifecycle;
    readonly writer: GroupWriter;
    readonly dispatcher: Dispatcher;
}

/** Makes safe what is not, before an outbox ends. */
export class Closing {
    readonly #options: ClosingOptions;
    #progressed: (() => void) | undefined;

    constructor(options: ClosingOptions) {
        this.#options = options;
    }

    /** An event has left, or the connection has ended. */
    progressed(): void {
        this.#progressed?.();
    }

    /**
     * With a durable store, sends nothing more: writes everything unacknowledged, and gives what is in flight half the time for its
     * acknowledgement, so that it need not be sent again. Otherwise waits until nothing is left, and fails the rest at the deadline.
     * Resolves with the number of events that are neither acknowledged nor stored.
     */
    async close(deadlineMs: number): Promise<number> {
        const { store, dispatcher, writer, lifecycle } = this.#options;
        if (store.isDurable) {
            dispatcher.stopSending();
            for (const entry of dispatcher.inMemory()) writer.save(entry);
            const settled = this.#within(deadlineMs / 2, () => dispatcher.window.length === 0);
            await writer.flush(deadlineMs / 2);
            await settled;
            await writer.flush(deadlineMs / 2);
        } else {
            await this.#within(deadlineMs, () => lifecycle.events === 0 || !dispatcher.isOnline);
        }
        dispatcher.dispose();
        writer.dispose();
        return store.isDurable ? this.#countUnsaved() : this.#abandonAll();
    }

    /** Resolves when the condition holds after some progress, or at the deadline. */
    #within(deadlineMs: number, isReached: () => boolean): Promise<void> {
        if (isReached()) return Promise.resolve();
        return new Promise((resolve) => {
            const timer = this.#options.clock.setTimer(deadlineMs, resolve);
            this.#progressed = () => {
                if (!isReached()) return;
                timer.cancel();
                resolve();
            };
        });
    }

    #countUnsaved(): number {
        let unsaved = 0;
        for (const entry of this.#options.dispatcher.inMemory()) if (entry.saved !== "yes") unsaved += 1;
        return unsaved;
    }

    #abandonAll(): number {
        const { store, dispatcher, lifecycle } = this.#options;
        const unsafe = lifecycle.events - (store.keptEvents ?? 0);
        for (const entry of [...dispatcher.inMemory()]) lifecycle.abandon(entry);
        lifecycle.abandonStored();
        return unsafe;
    }
}
