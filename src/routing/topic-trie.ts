import { topicLevels } from "./topic-filter";

interface Branch<Value> {
    readonly children: Map<string, Branch<Value>>;
    /** The values of the filter that ends here. */
    readonly values: Set<Value>;
    /** The values of the filter that ends here with `#`. */
    readonly rest: Set<Value>;
}

/**
 * Finds the values whose topic filters match a topic, in a time that depends on the number of levels and not on the number
 * of filters.
 */
export class TopicTrie<Value> {
    readonly #root: Branch<Value> = emptyBranch();

    /** Adds a value under a filter; adding it again under the same filter changes nothing. */
    add(filter: string, value: Value): void {
        const levels = topicLevels(filter);
        const endsOpen = levels.at(-1) === "#";
        if (endsOpen) levels.pop();
        let branch = this.#root;
        for (const level of levels) {
            let child = branch.children.get(level);
            if (!child) {
                child = emptyBranch();
                branch.children.set(level, child);
            }
            branch = child;
        }
        (endsOpen ? branch.rest : branch.values).add(value);
    }

    /** Removes a value from under a filter, and the branches nobody needs any more. */
    remove(filter: string, value: Value): void {
        const levels = topicLevels(filter);
        const endsOpen = levels.at(-1) === "#";
        if (endsOpen) levels.pop();
        removeFrom(this.#root, levels, 0, endsOpen, value);
    }

    /** The values of all matching filters, each once however many of its filters match. */
    match(topic: string): Value[] {
        const hits: Set<Value>[] = [];
        collect(this.#root, topicLevels(topic), 0, hits);
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

function collect<Value>(branch: Branch<Value>, levels: readonly string[], depth: number, hits: Set<Value>[]): void {
    const level = levels[depth];
    // Wildcards in the first level do not reach the server's own topics.
    const wildcards = depth > 0 || level?.startsWith("$") !== true;
    if (wildcards && branch.rest.size > 0) hits.push(branch.rest);
    if (level === undefined) {
        if (branch.values.size > 0) hits.push(branch.values);
        return;
    }
    const exact = branch.children.get(level);
    if (exact) collect(exact, levels, depth + 1, hits);
    const any = wildcards && level !== "+" ? branch.children.get("+") : undefined;
    if (any) collect(any, levels, depth + 1, hits);
}

function removeFrom<Value>(branch: Branch<Value>, levels: readonly string[], depth: number, endsOpen: boolean, value: Value): void {
    const level = levels[depth];
    if (level === undefined) {
        (endsOpen ? branch.rest : branch.values).delete(value);
        return;
    }
    const child = branch.children.get(level);
    if (!child) return;
    removeFrom(child, levels, depth + 1, endsOpen, value);
    if (isBare(child)) branch.children.delete(level);
}

function isBare<Value>(branch: Branch<Value>): boolean {
    return branch.children.size === 0 && branch.values.size === 0 && branch.rest.size === 0;
}

function emptyBranch<Value>(): Branch<Value> {
    return { children: new Map(), values: new Set(), rest: new Set() };
}
