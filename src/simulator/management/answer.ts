/** The answer to a request, in either direction. */
export interface Answer {
    rc: number;
    message?: string;
    d?: unknown;
}

/** The request was carried out. */
export const done: Answer = { rc: 200 };

/** The request breaks a rule, which the message states. */
export function bad(message: string): Answer {
    return { rc: 400, message };
}
