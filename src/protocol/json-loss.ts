import { types } from "node:util";

/**
 * Looks for values that `JSON.stringify` does not refuse, although it writes something else in their place: `null` for NaN and infinite
 * numbers, an object without the content for a Map, Set, WeakMap, WeakSet, ArrayBuffer, DataView, Promise, Error or RegExp, and an object
 * with numbered members for a typed array. A value with a `toJSON` method, such as a Date or a Buffer, writes itself and counts as it is.
 *
 * Plain data costs next to nothing: `mayLose` decides from the text, and from the two topmost levels, whether the value has to be walked.
 */
export function mayLose(value: unknown, text: string): boolean {
    if (text.includes("null") || text.includes("{}") || text.includes('{"0":')) return true;
    if (!isObject(value)) return false;
    const members: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
    return !isPlain(value) || members.some((member) => isObject(member) && !isPlain(member));
}

/** Walks a value that `JSON.stringify` has written. Returns the first loss, or whether there is a typed array. */
export function findLoss(value: unknown): JsonLoss | { readonly hasTypedArray: boolean } {
    let hasTypedArray = false;
    const toVisit: Visit[] = [{ value, name: undefined, parent: undefined }];
    for (let visit = toVisit.pop(); visit; visit = toVisit.pop()) {
        const current = visit.value;
        const loss = lossOf(current);
        if (loss) return { path: pathTo(visit), ...loss };
        if (!isObject(current) || typeof current.toJSON === "function") continue;
        const isTypedArray = types.isTypedArray(current);
        if (isTypedArray) hasTypedArray = true;
        const isList = isTypedArray || Array.isArray(current);
        const names = Object.keys(current);
        // From the last to the first, so that they are visited in order.
        for (let index = names.length - 1; index >= 0; index--) {
            const name = names[index] ?? "";
            toVisit.push({ value: current[name], name: isList ? Number(name) : name, parent: visit });
        }
    }
    return { hasTypedArray };
}

/** As a replacer of `JSON.stringify`: writes typed arrays as arrays. */
export function typedArraysAsArrays(_name: string, value: unknown): unknown {
    return types.isTypedArray(value) ? Array.from<unknown>(value) : value;
}

/** A value that JSON would lose. */
export interface JsonLoss {
    /** The way to it from the whole value, such as `.temp` or `.list[3]["a b"]`; empty for the whole value. */
    readonly path: string;
    readonly kind: "number" | "object";
    /** The number, or the name of the object's class. */
    readonly value: string;
}

interface Visit {
    readonly value: unknown;
    readonly name: string | number | undefined;
    readonly parent: Visit | undefined;
}

/** The checks know the objects of another context too, such as that of a Function node. */
const lossyClasses: readonly (readonly [name: string, is: (value: unknown) => boolean])[] = [
    ["Map", types.isMap],
    ["Set", types.isSet],
    ["WeakMap", types.isWeakMap],
    ["WeakSet", types.isWeakSet],
    ["ArrayBuffer", types.isAnyArrayBuffer],
    ["DataView", types.isDataView],
    ["Promise", types.isPromise],
    ["Error", types.isNativeError],
    ["RegExp", types.isRegExp],
];

function lossOf(value: unknown): Pick<JsonLoss, "kind" | "value"> | undefined {
    if (typeof value === "number") return Number.isFinite(value) ? undefined : { kind: "number", value: String(value) };
    if (!isObject(value) || isPlain(value) || typeof value.toJSON === "function") return undefined;
    const found = lossyClasses.find(([, is]) => is(value));
    return found && { kind: "object", value: found[0] };
}

function isObject(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null;
}

/** Whether it is an array, or an object without a class, of this context or another. */
function isPlain(value: object): boolean {
    if (Array.isArray(value)) return true;
    const prototype: unknown = Object.getPrototypeOf(value);
    return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function pathTo(visit: Visit): string {
    const steps: string[] = [];
    for (let at: Visit | undefined = visit; at?.name !== undefined; at = at.parent) {
        steps.push(typeof at.name === "string" && /^[A-Za-z_$][\w$]*$/.test(at.name) ? `.${at.name}` : `[${JSON.stringify(at.name)}]`);
    }
    return steps.reverse().join("");
}
