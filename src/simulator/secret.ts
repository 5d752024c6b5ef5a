import { timingSafeEqual } from "node:crypto";

/** Whether a secret was given correctly, in a time that tells nothing about it but its length. */
export function isSameSecret(given: Buffer, expected: string): boolean {
    const wanted = Buffer.from(expected);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
}
