/** Timers that belong to one owner and end with it. They do not keep the process alive. */
export class Timers {
    readonly #running = new Set<NodeJS.Timeout>();
    #ended = false;

    /** Calls `action` once after `delayMs`, unless the owner ends first. Returns a function that cancels it. */
    after(delayMs: number, action: () => void): () => void {
        if (this.#ended) return () => undefined;
        const timeout = setTimeout(() => {
            this.#running.delete(timeout);
            action();
        }, delayMs);
        timeout.unref();
        this.#running.add(timeout);
        return () => {
            clearTimeout(timeout);
            this.#running.delete(timeout);
        };
    }

    /** Calls `action` periodically until the owner ends. */
    every(periodMs: number, action: () => void): void {
        const interval = setInterval(action, periodMs);
        interval.unref();
        this.#running.add(interval);
    }

    /** Cancels every timer; later ones do not start. */
    dispose(): void {
        this.#ended = true;
        for (const timeout of this.#running) clearTimeout(timeout);
        this.#running.clear();
    }
}
