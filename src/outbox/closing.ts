import type { Clock } from "../clock";
import type { Dispatcher } from "./dispatcher";
import type { GroupWriter } from "./group-writer";
import type { Ledger } from "./ledger";

/** What closing an outbox involves. */
export interface ClosingOptions {
    readonly clock: Clock;
    readonly isDurable: boolean;
    readonly ledger: Ledger;
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
        const { isDurable, dispatcher, writer, ledger } = this.#options;
        if (isDurable) {
            dispatcher.stopSending();
            for (const entry of dispatcher.inMemory()) writer.save(entry);
            const settled = this.#within(deadlineMs / 2, () => dispatcher.window.length === 0);
            await writer.flush(deadlineMs / 2);
            await settled;
            await writer.flush(deadlineMs / 2);
        } else {
            await this.#within(deadlineMs, () => ledger.events === 0 || !dispatcher.isOnline);
        }
        dispatcher.dispose();
        writer.dispose();
        return isDurable ? this.#countUnsaved() : this.#abandonAll();
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
        const entries = [...this.#options.dispatcher.inMemory()];
        for (const entry of entries) this.#options.ledger.abandon(entry);
        return entries.length;
    }
}
