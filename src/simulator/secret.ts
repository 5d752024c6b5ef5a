import { timingSafeEqual } from "node:crypto";

/** Whether the given secret is the expected one. The comparison takes the same time for every secret of that length. */
export function isSameSecret(given: Buffer, expected: string): boolean {
    const wanted = Buffer.from(expected);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
}
