/** Return codes as both sides use them; `message` only where it helps. */
export interface Answer {
    rc: number;
    message?: string;
    d?: unknown;
}

/** Everything was done. */
export const done: Answer = { rc: 200 };

/** The request breaks a rule, which the message states. */
export function bad(message: string): Answer {
    return { rc: 400, message };
}
