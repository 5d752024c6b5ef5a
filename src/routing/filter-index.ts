import { topicLevels } from "./topic-filter";

/** Filters by level, to find one that overlaps with a given one without looking at all of them. */
export class FilterIndex {
    #root: Branch = { children: new Map() };

    /** Adds a filter; adding it again changes nothing. */
    add(filter: string): void {
        let branch = this.#root;
        for (const level of topicLevels(filter)) {
            let child = branch.children.get(level);
            if (!child) {
                child = { children: new Map() };
                branch.children.set(level, child);
            }
            branch = child;
        }
        branch.filter = filter;
    }

    /** Removes a filter, if it is there. */
    remove(filter: string): void {
        const levels = topicLevels(filter);
        const path: Branch[] = [this.#root];
        for (const level of levels) {
            const child = path.at(-1)?.children.get(level);
            if (!child) return;
            path.push(child);
        }
        delete path.at(-1)?.filter;
        for (let depth = levels.length; depth > 0; depth--) {
            const branch = path[depth];
            if (!branch || branch.filter !== undefined || branch.children.size > 0) return;
            path[depth - 1]?.children.delete(levels[depth - 1] ?? "");
        }
    }

    /** Removes all. */
    clear(): void {
        this.#root = { children: new Map() };
    }

    /** A filter of the index that matches a topic which the given one matches too, or undefined when there is none. */
    findOverlap(filter: string): string | undefined {
        return findOverlap(this.#root, topicLevels(filter), 0);
    }
}

interface Branch {
    readonly children: Map<string, Branch>;
    /** The filter that ends here. */
    filter?: string;
}

function findOverlap(branch: Branch, levels: readonly string[], depth: number): string | undefined {
    const level = levels[depth];
    const reserved = depth === 0 && level?.startsWith("$") === true;
    const rest = branch.children.get("#");
    if (rest && !reserved) return rest.filter;
    if (level === undefined) return branch.filter;
    if (level === "#") return branch.filter ?? anyBelow(branch, depth);
    if (level === "+") {
        for (const [name, child] of branch.children) {
            if (depth === 0 && name.startsWith("$")) continue;
            const found = findOverlap(child, levels, depth + 1);
            if (found !== undefined) return found;
        }
        return undefined;
    }
    const exact = branch.children.get(level);
    const found = exact && findOverlap(exact, levels, depth + 1);
    if (found !== undefined || reserved) return found;
    const any = branch.children.get("+");
    return any && findOverlap(any, levels, depth + 1);
}

function anyBelow(branch: Branch, depth: number): string | undefined {
    for (const [name, child] of branch.children) {
        if (depth === 0 && name.startsWith("$")) continue;
        const found = child.filter ?? anyBelow(child, depth + 1);
        if (found !== undefined) return found;
    }
    return undefined;
}
