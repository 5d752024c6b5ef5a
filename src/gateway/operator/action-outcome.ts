/** What became of an operator's action: a key for words in the operator's language, and the numbers and names in them. */
export interface ActionOutcome {
    /** Whether something was done. */
    readonly isDone: boolean;
    readonly key: string;
    readonly parameters?: Readonly<Record<string, string | number>>;
}

/** It was done. */
export function done(key: string, parameters?: ActionOutcome["parameters"]): ActionOutcome {
    return { isDone: true, key, ...(parameters && { parameters }) };
}

/** Nothing was done, and why. */
export function notDone(key: string, parameters?: ActionOutcome["parameters"]): ActionOutcome {
    return { isDone: false, key, ...(parameters && { parameters }) };
}
