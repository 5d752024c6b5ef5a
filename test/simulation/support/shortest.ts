/**
 * The shortest list that still fails and can be found by leaving out parts of a failing one: first halves, then smaller parts, then single
 * items. Tries at most `maxTries` lists.
 */
export async function shortest<T>(
    items: readonly T[],
    fails: (some: readonly T[]) => Promise<boolean>,
    maxTries = 400,
): Promise<readonly T[]> {
    let best = items;
    let tries = 0;
    for (let size = Math.ceil(best.length / 2); size >= 1; ) {
        let isShorter = false;
        for (let start = 0; start < best.length && tries < maxTries; ) {
            const rest = [...best.slice(0, start), ...best.slice(start + size)];
            tries += 1;
            if (await fails(rest)) {
                best = rest;
                isShorter = true;
            } else {
                start += size;
            }
        }
        if (tries >= maxTries || (size === 1 && !isShorter)) break;
        if (size > 1) size = Math.ceil(size / 2);
    }
    return best;
}
