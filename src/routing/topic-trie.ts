import { topicLevels } from "./topic-filter";

/**
 * Finds the values whose topic filters match a topic, in a time that depends on the number of levels and not on the number
 * of filters.
 */
export class TopicTrie<Value> {
    readonly #root: Branch<Value> = {};

    /** Adds a value under a filter; adding it again under the same filter changes nothing. */
    add(filter: string, value: Value): void {
        const levels = topicLevels(filter);
        const endsOpen = levels.at(-1) === "#";
        if (endsOpen) levels.pop();
        let branch = this.#root;
        for (const level of levels) {
            branch.children ??= new Map();
            let child = branch.children.get(level);
            if (!child) {
                child = {};
                branch.children.set(level, child);
            }
            branch = child;
        }
        if (endsOpen) branch.rest = (branch.rest ?? new Set()).add(value);
        else branch.values = (branch.values ?? new Set()).add(value);
    }

    /** Removes a value from under a filter, and the branches that become empty. */
    remove(filter: string, value: Value): void {
        const levels = topicLevels(filter);
        const endsOpen = levels.at(-1) === "#";
        if (endsOpen) levels.pop();
        removeFrom(this.#root, levels, 0, endsOpen, value);
    }

    /** The values of all matching filters, each once however many of its filters match. */
    match(topic: string): Value[] {
        return this.matchLevels(topicLevels(topic));
    }

    /** The same for a topic that has been split into its levels already. */
    matchLevels(levels: readonly string[]): Value[] {
        const hits: Set<Value>[] = [];
        collect(this.#root, levels, 0, hits);
        const [first, ...others] = hits;
        if (!first) return [];
        if (others.length === 0) return [...first];
        const values = new Set(first);
        for (const hit of others) for (const value of hit) values.add(value);
        return [...values];
    }

    get isEmpty(): boolean {
        return isBare(this.#root);
    }
}

/** A level of the tree. A gateway of ten thousand devices has fifty thousand of them, nearly all with one child only. */
interface Branch<Value> {
    children?: Map<string, Branch<Value>>;
    /** The values of the filter that ends here. */
    values?: Set<Value>;
    /** The values of the filter that ends here with `#`. */
    rest?: Set<Value>;
}

function collect<Value>(branch: Branch<Value>, levels: readonly string[], depth: number, hits: Set<Value>[]): void {
    const level = levels[depth];
    // Wildcards in the first level do not reach the server's own topics.
    const wildcards = depth > 0 || level?.startsWith("$") !== true;
    if (wildcards && branch.rest) hits.push(branch.rest);
    if (level === undefined) {
        if (branch.values) hits.push(branch.values);
        return;
    }
    const exact = branch.children?.get(level);
    if (exact) collect(exact, levels, depth + 1, hits);
    const any = wildcards && level !== "+" ? branch.children?.get("+") : undefined;
    if (any) collect(any, levels, depth + 1, hits);
}

function removeFrom<Value>(branch: Branch<Value>, levels: readonly string[], depth: number, endsOpen: boolean, value: Value): void {
    const level = levels[depth];
    if (level === undefined) {
        const ending = endsOpen ? "rest" : "values";
        branch[ending]?.delete(value);
        if (branch[ending]?.size === 0) delete branch[ending];
        return;
    }
    const child = branch.children?.get(level);
    if (!child) return;
    removeFrom(child, levels, depth + 1, endsOpen, value);
    if (isBare(child)) branch.children?.delete(level);
    if (branch.children?.size === 0) delete branch.children;
}

function isBare<Value>({ children, values, rest }: Branch<Value>): boolean {
    return !children && !values && !rest;
}
