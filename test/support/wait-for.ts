/** Waits until `condition` returns something truthy, and returns that; fails with what was waited for after the deadline. */
export async function waitFor<T>(
    condition: () => T | Promise<T>,
    what: string | (() => string),
    timeoutMs = 60_000,
): Promise<NonNullable<T>> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
        const result = await condition();
        if (result) return result as NonNullable<T>;
        if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${typeof what === "string" ? what : what()}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}
