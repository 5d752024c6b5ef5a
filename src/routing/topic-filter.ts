/** Splits a topic or a filter into its levels. */
export function topicLevels(topic: string): string[] {
    return topic.split("/");
}

/**
 * Whether every topic that the second filter matches is matched by the first, by the rules of MQTT: wildcards in the first level do not
 * match `$SYS` and the like. A topic is a filter that matches itself alone.
 */
export function filterCovers(filter: string, covered: string): boolean {
    return covers(topicLevels(filter), topicLevels(covered));
}

/** Whether there is a topic that both filters match. */
export function filtersOverlap(one: string, other: string): boolean {
    const levels = topicLevels(one);
    const otherLevels = topicLevels(other);
    if (hidesFrom(levels[0], otherLevels[0]) || hidesFrom(otherLevels[0], levels[0])) return false;
    for (let i = 0; ; i++) {
        const level = levels[i];
        const otherLevel = otherLevels[i];
        if (level === "#" || otherLevel === "#") return true;
        if (level === undefined || otherLevel === undefined) return level === otherLevel;
        if (level !== otherLevel && level !== "+" && otherLevel !== "+") return false;
    }
}

/** The narrowest filter that covers both. */
export function joinFilters(one: string, other: string): string {
    const levels = topicLevels(one);
    const otherLevels = topicLevels(other);
    const joined: string[] = [];
    for (let i = 0; i < levels.length || i < otherLevels.length; i++) {
        const level = levels[i];
        const otherLevel = otherLevels[i];
        if (level === undefined || otherLevel === undefined || level === "#" || otherLevel === "#") {
            joined.push("#");
            break;
        }
        joined.push(level === otherLevel ? level : "+");
    }
    return joined.join("/");
}

function covers(levels: readonly string[], covered: readonly string[]): boolean {
    if (hidesFrom(covered[0], levels[0])) return false;
    for (let i = 0; i < levels.length; i++) {
        const level = levels[i];
        // `a/#` also matches `a` itself.
        if (level === "#") return true;
        const coveredLevel = covered[i];
        if (coveredLevel === undefined || coveredLevel === "#") return false;
        if (level !== "+" && level !== coveredLevel) return false;
    }
    return levels.length === covered.length;
}

/** Topics that start with `$` are the server's own: only a filter that names that level reaches them. */
function hidesFrom(level: string | undefined, filterLevel: string | undefined): boolean {
    return level?.startsWith("$") === true && (filterLevel === "+" || filterLevel === "#");
}
