/** A value that code must survive which expects something else, and what to call it. */
export type HostileValue = readonly [name: string, value: unknown];

function cyclic(): object {
    const value: Record<string, unknown> = { list: [] };
    value.self = value;
    value.list = [value];
    return value;
}

function nested(levels: number): unknown {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) value = { a: value };
    return value;
}

function revoked(target: object): unknown {
    const { proxy, revoke } = Proxy.revocable(target, {});
    revoke();
    return proxy;
}

/** Whatever is done to it throws `thrown`. */
function refusing(thrown: unknown): object {
    const refuse = (): never => {
        throw thrown;
    };
    const traps = ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor", "set", "deleteProperty"];
    return new Proxy({}, Object.fromEntries(traps.map((trap) => [trap, refuse])));
}

/** An object with a getter that throws `thrown`. */
function trapped(thrown: unknown): object {
    return Object.defineProperty({ a: 1 }, "b", {
        enumerable: true,
        get: () => {
            throw thrown;
        },
    });
}

function throwing(method: string, thrown: unknown = new Error(`${method} throws`)): object {
    return {
        [method]: () => {
            throw thrown;
        },
    };
}

/** A clone of it can be made once, but not twice. */
function trappedLater(reads: number): object {
    let left = reads;
    return Object.defineProperty({}, "a", {
        enumerable: true,
        get: () => {
            left -= 1;
            if (left < 0) throw new Error("read too often");
            return 1;
        },
    });
}

function detached(): Uint8Array {
    const bytes = new Uint8Array(16);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return bytes;
}

function refuseToConvert(): never {
    throw new Error("no primitive");
}

const unreadableError = Object.defineProperty(new Error("x"), "message", {
    get: () => {
        throw new Error("no message");
    },
});

/** Values of every JavaScript type, and those that throw when they are looked at. Each call makes its own. */
export function hostileValues(): HostileValue[] {
    return [
        ["undefined", undefined],
        ["null", null],
        ["true", true],
        ["false", false],
        ["0", 0],
        ["-0", -0],
        ["-1", -1],
        ["1.5", 1.5],
        ["NaN", Number.NaN],
        ["Infinity", Number.POSITIVE_INFINITY],
        ["2 ** 53", 2 ** 53],
        ["a BigInt", 10n],
        ["an empty string", ""],
        ["a string", "x"],
        ["a lone surrogate", "\ud800"],
        ["control characters", "\u0000\n\u0007"],
        ["topic characters", "a/+/#"],
        ["__proto__", "__proto__"],
        ["a symbol", Symbol("s")],
        ["Symbol.toPrimitive", Symbol.toPrimitive],
        ["a function", () => "x"],
        ["a class", class {}],
        ["an object", {}],
        ["an array", []],
        ["an object without prototype", Object.assign(Object.create(null), { a: 1 })],
        ["a frozen object", Object.freeze({ a: Object.freeze([1]) })],
        ["an object with foreign names", { hasOwnProperty: 1, toString: null, valueOf: null, constructor: 1, length: -1 }],
        ["an own __proto__", JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')],
        ["a cyclic object", cyclic()],
        ["a getter that throws", trapped(new Error("getter throws"))],
        ["a getter that throws null", trapped(null)],
        ["a getter that throws undefined", trapped(undefined)],
        ["a getter that throws a revoked proxy", trapped(revoked({}))],
        ["a getter that throws an object with a getter that throws", trapped(trapped(new Error("inner")))],
        ["a getter that throws an error without words", trapped(unreadableError)],
        ["a getter that throws later", trappedLater(1)],
        ["a getter that throws even later", trappedLater(3)],
        ["a proxy that refuses everything", refusing(new Error("refused"))],
        ["a proxy that throws a revoked proxy", refusing(revoked({}))],
        ["a revoked proxy", revoked({})],
        ["a revoked proxy of an array", revoked([])],
        ["a revoked proxy of a function", revoked(() => undefined)],
        ["toString that throws", throwing("toString")],
        ["valueOf that throws", throwing("valueOf")],
        ["toJSON that throws", throwing("toJSON")],
        ["toJSON that throws a symbol", throwing("toJSON", Symbol("s"))],
        ["then that throws", throwing("then")],
        ["toJSON that gives a BigInt", { toJSON: () => 1n }],
        ["toJSON that gives undefined", { toJSON: () => undefined }],
        ["Symbol.toPrimitive that throws", { [Symbol.toPrimitive]: refuseToConvert }],
        ["a date", new Date(0)],
        ["an invalid date", new Date(Number.NaN)],
        ["a regular expression", /x/g],
        ["an error", new Error("an error")],
        ["an error without words", unreadableError],
        ["a map", new Map<unknown, unknown>([[{}, trapped(new Error("in a map"))]])],
        ["a set", new Set([cyclic()])],
        ["a weak map", new WeakMap()],
        ["a promise", Promise.resolve(1)],
        ["a generator", (function* () {})()],
        ["a boxed string", Object("x")],
        ["a boxed symbol", Object(Symbol("s"))],
        ["a buffer", Buffer.from([0, 255])],
        ["a typed array", new Float64Array([1, Number.NaN])],
        ["an array of big integers", new BigInt64Array(2)],
        ["an array buffer", new ArrayBuffer(8)],
        ["shared memory", new SharedArrayBuffer(8)],
        ["a detached array", detached()],
        ["a view of bytes", new DataView(new ArrayBuffer(2))],
        ["the global object", globalThis],
    ];
}

/** Values that are merely large: a few of them are enough. */
export function largeValues(): HostileValue[] {
    return [
        ["10 MB of text", "é".repeat(5_000_000)],
        ["10 MB of JSON", `[${'"x",'.repeat(2_500_000)}1]`],
        ["10 MB of bytes", Buffer.alloc(10_000_000)],
        ["brackets without end", "[".repeat(100_000)],
        ["a sparse array", Object.assign([], { length: 100_000 })],
        ["an object of 100 000 levels", nested(100_000)],
    ];
}
