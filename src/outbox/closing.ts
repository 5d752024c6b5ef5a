import type { Clock } from "../clock";
import type { EventLifecycle } from "./event-lifecycle";
import type { Dispatcher } from "./sending/dispatcher";
import type { GroupWriter } from "./storing/group-writer";

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
        const { storesEvents, dispatcher, writer, lifecycle } = this.#options;
        if (storesEvents) {
            dispatcher.stopSending();
            writer.unsaved.storeAllNow();
            const settled = this.#within(deadlineMs / 2, () => dispatcher.window.isQuiet);
            await writer.flush(deadlineMs / 2);
            await settled;
            await writer.flush(deadlineMs / 2);
        } else {
            await this.#within(deadlineMs, () => lifecycle.events === 0 || !dispatcher.isOnline);
            void writer.flush(deadlineMs);
        }
        dispatcher.dispose();
        writer.dispose();
        return this.#endUnsafe();
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

    /** Counts what is in memory only. Where nothing is stored, it fails now. */
    #endUnsafe(): number {
        const { storesEvents, dispatcher, lifecycle } = this.#options;
        const unsafe = [...dispatcher.inMemory()].filter(({ isStored, isDelivered }) => !isStored && !isDelivered);
        if (!storesEvents) for (const entry of unsafe) lifecycle.abandon(entry);
        return unsafe.length;
    }
}

/** What closing an outbox involves. */
export interface ClosingOptions {
    readonly clock: Clock;
    readonly storesEvents: boolean;
    readonly lifecycle: EventLifecycle;
    readonly writer: GroupWriter;
    readonly dispatcher: Dispatcher;
}
