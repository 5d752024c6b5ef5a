/** Finds the subscriptions whose filter matches a topic, in a time that depends on the levels and not on their number. */
export class SubscriptionTree<T> {
    readonly #root = newBranch<T>();

    /** Adds an entry under a filter; `#` may only be its last level. */
    add(filter: string, entry: T): void {
        const levels = filter.split("/");
        const below = levels.at(-1) === "#";
        if (below) levels.pop();
        let branch = this.#root;
        for (const level of levels) {
            let next = branch.children.get(level);
            if (!next) {
                next = newBranch();
                branch.children.set(level, next);
            }
            branch = next;
        }
        (below ? branch.below : branch.here).add(entry);
    }

    /** Removes an entry; does nothing when it is not there. */
    remove(filter: string, entry: T): void {
        const levels = filter.split("/");
        const below = levels.at(-1) === "#";
        if (below) levels.pop();
        const path = [this.#root];
        for (const level of levels) {
            const next = path.at(-1)?.children.get(level);
            if (!next) return;
            path.push(next);
        }
        const last = path.at(-1);
        (below ? last?.below : last?.here)?.delete(entry);
        for (let depth = levels.length; depth > 0; depth--) {
            const branch = path[depth];
            if (!branch || branch.children.size + branch.here.size + branch.below.size > 0) return;
            path[depth - 1]?.children.delete(levels[depth - 1] ?? "");
        }
    }

    /** Every entry whose filter matches the topic's levels. */
    match(levels: readonly string[]): T[] {
        const found: T[] = [];
        this.#collect(this.#root, levels, 0, found);
        return found;
    }

    #collect(branch: Branch<T>, levels: readonly string[], depth: number, found: T[]): void {
        for (const entry of branch.below) found.push(entry);
        const level = levels[depth];
        if (level === undefined) {
            for (const entry of branch.here) found.push(entry);
            return;
        }
        const exact = branch.children.get(level);
        if (exact) this.#collect(exact, levels, depth + 1, found);
        const any = branch.children.get("+");
        if (any) this.#collect(any, levels, depth + 1, found);
    }
}

/** One level of the tree. `here` holds filters that end at this level, `below` those that end in `#` after it. */
interface Branch<T> {
    children: Map<string, Branch<T>>;
    here: Set<T>;
    below: Set<T>;
}

function newBranch<T>(): Branch<T> {
    return { children: new Map(), here: new Set(), below: new Set() };
}
