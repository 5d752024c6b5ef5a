import { disjointFilters, type FilterQos, higher } from "./disjoint-filters";
import { filterCovers, filtersOverlap, joinFilters } from "./topic-filter";

/**
 * Which filters the users of a gateway want, and which the server should hold for them: reference-counted, the smallest set
 * without two overlapping filters, joined further within groups when the server allows only a limited number.
 */
export class SubscriptionTable<User> {
    readonly #users = new Map<string, Map<User, FilterQos>>();
    readonly #limit: FilterLimit | undefined;

    constructor(limit?: FilterLimit) {
        this.#limit = limit;
    }

    /** Adds a user of a filter; adding it again changes the quality of service it wants. */
    add(filter: string, qos: FilterQos, user: User): void {
        let users = this.#users.get(filter);
        if (!users) {
            users = new Map();
            this.#users.set(filter, users);
        }
        users.set(user, qos);
    }

    /** Removes a user of a filter. */
    remove(filter: string, user: User): void {
        const users = this.#users.get(filter);
        if (!users?.delete(user)) return;
        if (users.size === 0) this.#users.delete(filter);
    }

    get isEmpty(): boolean {
        return this.#users.size === 0;
    }

    /** What the server should hold: no filter twice, no two that overlap. */
    serverFilters(): { filters: Map<string, FilterQos>; neededFilters: number } {
        const wanted = new Map<string, FilterQos>();
        for (const [filter, users] of this.#users) {
            let highest: FilterQos = 0;
            for (const qos of users.values()) highest = higher(highest, qos);
            wanted.set(filter, highest);
        }
        const filters = disjointFilters(wanted);
        const neededFilters = filters.size;
        return { filters: this.#limit ? withinLimit(filters, this.#limit) : filters, neededFilters };
    }

    /** The wanted filters that a filter of the server stands for. */
    filtersUnder(serverFilter: string): string[] {
        return [...this.#users.keys()].filter((filter) => filterCovers(serverFilter, filter));
    }

    /** The users of these filters, each once. */
    usersOf(filters: Iterable<string>): User[] {
        const found = new Set<User>();
        for (const filter of filters) for (const user of this.#users.get(filter)?.keys() ?? []) found.add(user);
        return [...found];
    }
}

/** How many filters a server allows, and which of them may be joined to keep within that number. */
export interface FilterLimit {
    readonly maxFilters: number;
    /** Names the group within which a filter may be joined with others; undefined when it must stay as it is. */
    readonly groupOf: (filter: string) => string | undefined;
}

/** Joins whole groups, the largest first, until the limit is kept or nothing is left to join. */
function withinLimit(filters: Map<string, FilterQos>, { maxFilters, groupOf }: FilterLimit): Map<string, FilterQos> {
    for (const members of groupsBySize(filters.keys(), groupOf)) {
        if (filters.size <= maxFilters || members.size < 2) break;
        const joined = [...members].reduce(joinFilters);
        // A join that reaches beyond its group would have to swallow what it meets there as well.
        if ([...filters.keys()].some((other) => !members.has(other) && filtersOverlap(joined, other))) continue;
        let highest: FilterQos = 0;
        for (const member of members) {
            highest = higher(highest, filters.get(member) ?? 0);
            filters.delete(member);
        }
        filters.set(joined, highest);
    }
    return filters;
}

function groupsBySize(filters: Iterable<string>, groupOf: FilterLimit["groupOf"]): Set<string>[] {
    const groups = new Map<string, Set<string>>();
    for (const filter of filters) {
        const name = groupOf(filter);
        if (name === undefined) continue;
        const group = groups.get(name);
        if (group) group.add(filter);
        else groups.set(name, new Set([filter]));
    }
    return [...groups.values()].sort((one, other) => other.size - one.size);
}
