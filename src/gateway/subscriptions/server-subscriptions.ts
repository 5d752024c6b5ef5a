import type { Qos } from "../../protocol/qos";
import { FilterIndex } from "../../routing/filter-index";
import { filtersOverlap } from "../../routing/topic-filter";

/** The filters that the server holds on the current connection, those on their way there, and those to be unsubscribed. */
export class ServerSubscriptions {
    readonly #entries = new Map<string, ServerSubscription>();
    /** Filters that are not in force yet: the filters they take over from are still needed. */
    readonly #takingOver = new FilterIndex();
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
        this.#takingOver.clear();
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
        this.#takingOver.add(filter);
        this.#outdated.delete(filter);
        return entry;
    }

    /** It is in force, or cannot be asked for in a long time: no other filter is kept for it any longer. */
    releaseOverlaps(filter: string): void {
        this.#takingOver.remove(filter);
    }

    /** Whether another filter is kept until this one has taken over. */
    isTakingOver(filter: string): boolean {
        for (const outdated of this.#outdated) if (filtersOverlap(outdated, filter)) return true;
        return false;
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
            this.#takingOver.remove(filter);
        }
    }

    /** Takes out what can be given up now: all that is outdated, except, unless `isForced`, what another filter takes over from. */
    takeUnsubscribable(isForced: boolean): string[] {
        const isFree = (filter: string) => isForced || this.#takingOver.findOverlap(filter) === undefined;
        const unsubscribable = [...this.#outdated].filter(isFree);
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
