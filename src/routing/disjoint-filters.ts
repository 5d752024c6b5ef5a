import { FilterIndex } from "./filter-index";
import { joinFilters } from "./topic-filter";

/**
 * The fewest filters that together match what the given ones match and of which no two overlap: a filter that another one
 * covers is left out, two that overlap in part are replaced by their join. Each has the highest quality of service of those
 * it stands for. A server that sends one copy for each matching filter then sends each message once. Protocol, section Commands.
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

/** The quality of service a filter is wanted with. */
export type FilterQos = 0 | 1 | 2;

/** The higher of two qualities of service. */
export function higher(one: FilterQos, other: FilterQos): FilterQos {
    return one > other ? one : other;
}
