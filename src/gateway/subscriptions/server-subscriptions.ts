import type { Qos } from "../../protocol/qos";
import { FilterIndex } from "../../routing/filter-index";

/** The filters that the server holds on the current connection, those on their way there, and those to be unsubscribed. */
export class ServerSubscriptions {
    readonly #entries = new Map<string, ServerSubscription>();
    readonly #unsent = new FilterIndex();
    /** Kept over connections, until the server grants them or no subscriber wants them. */
    readonly #rejected = new Set<string>();
    readonly #outdated = new Set<string>();

    get size(): number {
        return this.#entries.size;
    }

    get rejected(): Iterable<string> {
        return this.#rejected;
    }

    /** A new connection; the server may hold these from before. */
    reset(present: Iterable<string>): void {
        this.#entries.clear();
        this.#unsent.clear();
        this.#outdated.clear();
        this.addExisting(present);
    }

    /** The server may hold these from before as well. */
    addExisting(present: Iterable<string>): void {
        for (const filter of present) if (!this.#entries.has(filter)) this.#entries.set(filter, { filter, qos: 0 });
    }

    get(filter: string): ServerSubscription | undefined {
        return this.#entries.get(filter);
    }

    /** Whether this is still the latest request for that filter. */
    isCurrent(entry: ServerSubscription): boolean {
        return this.#entries.get(entry.filter) === entry;
    }

    /** A filter that will be sent as soon as it may. */
    markRequested(filter: string, qos: Qos): ServerSubscription {
        const entry = { filter, qos };
        this.#entries.set(filter, entry);
        this.#unsent.add(filter);
        this.#outdated.delete(filter);
        return entry;
    }

    /** It has been sent, or cannot be for long: no other filter is kept any longer until it takes over. */
    releaseOverlaps(filter: string): void {
        this.#unsent.remove(filter);
    }

    /** The server's answer. */
    answered(filter: string, isRejected: boolean): void {
        if (isRejected) this.#rejected.add(filter);
        else this.#rejected.delete(filter);
    }

    /** Forgets that a filter was asked for, so that it is missing again. */
    askAgain(filter: string): void {
        this.#entries.delete(filter);
    }

    /** Everything but these is to be given up. */
    keepOnly(target: ReadonlyMap<string, unknown>): void {
        for (const filter of this.#entries.keys()) {
            if (target.has(filter)) continue;
            this.#outdated.add(filter);
            this.#unsent.remove(filter);
        }
    }

    /** Takes out what can be given up now: all that is outdated, except for what a filter takes over that will be sent soon. */
    takeUnsubscribable(): string[] {
        const unsubscribable = [...this.#outdated].filter((filter) => this.#unsent.findOverlap(filter) === undefined);
        for (const filter of unsubscribable) {
            this.#entries.delete(filter);
            this.#rejected.delete(filter);
            this.#outdated.delete(filter);
        }
        return unsubscribable;
    }
}

/** One filter on one connection: a new object for each SUBSCRIBE, so that a late answer cannot be taken for another's. */
export interface ServerSubscription {
    readonly filter: string;
    readonly qos: Qos;
}
