import { joinFilters, topicLevels } from "./topic-filter";

/** The quality of service a filter is wanted with. */
export type FilterQos = 0 | 1 | 2;

interface Branch {
    readonly children: Map<string, Branch>;
    /** The filter that ends here. */
    filter?: string;
}

/**
 * The fewest filters that together match what the given ones match and of which no two overlap: a filter that another one
 * covers is left out, two that overlap in part are replaced by their join. Each has the highest quality of service of those
 * it stands for. A server that sends one copy for each matching filter then sends each message once.
 */
export function disjointFilters(wanted: ReadonlyMap<string, FilterQos>): Map<string, FilterQos> {
    const index = new FilterIndex();
    const disjoint = new Map<string, FilterQos>();
    for (const [filter, qos] of wanted) {
        let joined = filter;
        let highest = qos;
        for (let found = index.findOverlap(joined); found !== undefined; found = index.findOverlap(joined)) {
            joined = joinFilters(joined, found);
            highest = higher(highest, disjoint.get(found) ?? 0);
            disjoint.delete(found);
            index.remove(found);
        }
        index.add(joined);
        disjoint.set(joined, highest);
    }
    return disjoint;
}

/** The higher of two qualities of service. */
export function higher(one: FilterQos, other: FilterQos): FilterQos {
    return one > other ? one : other;
}

/** Filters by level, to find one that overlaps with a given one without looking at all of them. */
class FilterIndex {
    readonly #root: Branch = { children: new Map() };

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

    findOverlap(filter: string): string | undefined {
        return findOverlap(this.#root, topicLevels(filter), 0);
    }
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
