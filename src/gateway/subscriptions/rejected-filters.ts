import { FilterIndex } from "../../routing/filter-index";
import { filterCovers } from "../../routing/topic-filter";

/** Filters whose subscribers were notified of a rejection and must be notified when it is lifted. */
export class RejectedFilters {
    readonly #filters = new FilterIndex();

    /** The subscribers of these were notified. */
    add(filters: Iterable<string>): void {
        for (const filter of filters) this.#filters.add(filter);
    }

    /** Takes out those that a granted filter brings the messages of: it may be another one than was refused. */
    takeUnder(granted: string): string[] {
        const found: string[] = [];
        for (let filter = this.#filters.findOverlap(granted); filter !== undefined; filter = this.#filters.findOverlap(granted)) {
            found.push(filter);
            this.#filters.remove(filter);
        }
        this.add(found.filter((filter) => !filterCovers(granted, filter)));
        return found.filter((filter) => filterCovers(granted, filter));
    }

    /** Nobody wants it any more. */
    remove(filter: string): void {
        this.#filters.remove(filter);
    }
}
