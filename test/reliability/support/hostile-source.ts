import fc from "fast-check";
import type { Node, NodeAPI, NodeDef, NodeMessage } from "node-red";
import { type HostileValue, hostileValues, largeValues } from "../../support/hostile-values";
import { codeOf, errorTextOf } from "../../support/records";

/** What became of the messages that a hostile source sent. */
export interface HostileReport {
    readonly sent: number;
    /** How often each outcome was seen: `done`, or the code of an error. */
    readonly outcomes: Record<string, number>;
    /** How often a Catch node got each code, since Node-RED was started. */
    readonly caught: Record<string, number>;
    /** Messages without an outcome, with more than one, or that Node-RED itself threw at. */
    readonly wrong: string[];
}

/** The fields of a message that are made hostile one after the other, by the node that gets it. */
interface Target {
    readonly id: string;
    readonly good: Record<string, unknown>;
    readonly fields: readonly string[];
}

type HostileMessage = readonly [name: string, target: string, message: NodeMessage];

const outcomeDeadlineMs = 45_000;
/** This many messages are in flight at once. */
const batchSize = 50;

/**
 * Node types that run inside Node-RED, because what they send cannot be sent there: messages with values of every type. They
 * are not put on wires but handed to a node at once, so that Node-RED does not clone or refuse them first.
 */
export default function register(RED: NodeAPI): void {
    /** What became of each message, by the very object that was sent. */
    const outcomes = new Map<unknown, string[]>();
    const caught: Record<string, number> = {};
    const totals: Record<string, number> = {};
    let errors = 0;

    /** Notes outcomes from the first question on: each that is noted costs Node-RED more than what the node does. */
    let isNoting = false;
    function noteOutcomes(): void {
        if (isNoting) return;
        isNoting = true;
        RED.hooks.add("onComplete.hostile-source", ({ msg, error }) => {
            const code = error ? outcomeOf(error) : "done";
            outcomes.get(msg)?.push(code);
            totals[code] = (totals[code] ?? 0) + 1;
            if (error) errors += 1;
        });
    }

    function HostileSource(this: Node, definition: NodeDef): void {
        RED.nodes.createNode(this, definition);
    }

    /** Counts what a Catch node gets. */
    function CaughtCounter(this: Node, definition: NodeDef): void {
        RED.nodes.createNode(this, definition);
        this.on("input", (message, _send, done) => {
            const code = outcomeOf(Reflect.get(message, "error"));
            caught[code] = (caught[code] ?? 0) + 1;
            done();
        });
    }

    /** Sends messages in batches and waits for the outcome of each. */
    async function run(messages: Iterable<HostileMessage>): Promise<HostileReport> {
        const wrong: string[] = [];
        const counts: Record<string, number> = {};
        const names = new Map<unknown, string>();
        let sent = 0;
        const settle = async () => {
            const deadline = performance.now() + outcomeDeadlineMs;
            const isOpen = () => [...names.keys()].some((message) => outcomes.get(message)?.length === 0);
            while (isOpen() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1));
            for (const [message, name] of names) {
                const list = outcomes.get(message) ?? [];
                if (list.length !== 1) wrong.push(`${name}: ${list.join(" and ") || "no outcome"}`);
                for (const outcome of list) counts[outcome] = (counts[outcome] ?? 0) + 1;
            }
            names.clear();
            outcomes.clear();
        };
        for (const [name, target, message] of messages) {
            sent += 1;
            outcomes.set(message, []);
            names.set(message, name);
            try {
                RED.nodes.getNode(target).receive(message);
            } catch {
                wrong.push(`${name}: thrown at`);
            }
            if (names.size >= batchSize) await settle();
        }
        await settle();
        const deadline = performance.now() + outcomeDeadlineMs;
        // Catch nodes send on what they get later.
        while (sum(caught) < errors && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1));
        return { sent, outcomes: counts, caught: { ...caught }, wrong };
    }

    RED.nodes.registerType("hostile-source", HostileSource);
    RED.nodes.registerType("caught-counter", CaughtCounter);
    /** Hands a node many messages before anything else happens. */
    RED.httpAdmin.post("/hostile-source/flood", (request, response) => {
        const { target, count, message } = request.body;
        const node: Node | null = RED.nodes.getNode(target);
        if (!node) {
            response.status(404).json({});
            return;
        }
        for (let number = 0; number < count; number++) node.receive({ ...message, number });
        response.json({});
    });
    /** The outcomes and caught errors of every message so far. */
    RED.httpAdmin.get("/hostile-source/totals", (_request, response) => {
        noteOutcomes();
        response.json({ outcomes: totals, caught });
    });
    RED.httpAdmin.post("/hostile-source", (request, response) => {
        const { targets, seed } = request.body;
        noteOutcomes();
        run(messagesFor(targets, seed)).then(
            (report) => response.json(report),
            (thrown: unknown) => response.status(500).json({ error: String(thrown) }),
        );
    });
}

/** For each target a good message, every hostile value in every field, generated ones in all fields at once, and a good one again. */
function* messagesFor(targets: readonly Target[], seed: number): Generator<HostileMessage> {
    for (const { id, good, fields } of targets) {
        const fresh = (): NodeMessage => structuredClone(good);
        yield [`${id}: good`, id, fresh()];
        for (const field of fields) {
            for (const [name, value] of fieldValues(field)) yield [`${id}: ${name} as ${field}`, id, withField(fresh(), field, { value })];
            // Node-RED itself reads this one before the node gets the message.
            if (field === "_msgid") continue;
            const get = () => {
                throw new Error(`${field} cannot be read`);
            };
            yield [`${id}: a getter as ${field}`, id, withField(fresh(), field, { get })];
        }
        yield [`${id}: frozen`, id, Object.freeze({ _msgid: "f", ...fresh() })];
        yield* generated(id, fresh, fields, seed);
        yield [`${id}: good`, id, fresh()];
    }
}

function fieldValues(field: string): HostileValue[] {
    return field === "payload" || field === "dm" ? [...hostileValues(), ...largeValues()] : hostileValues();
}

function* generated(id: string, fresh: () => NodeMessage, fields: readonly string[], seed: number): Generator<HostileMessage> {
    const value = fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withTypedArray: true,
        withSparseArray: true,
    });
    const chosen = fc.dictionary(fc.constantFrom(...fields), value, { minKeys: 1 });
    for (const values of fc.sample(chosen, { numRuns: 100, seed })) {
        const message = fresh();
        for (const [field, each] of Object.entries(values)) withField(message, field, { value: each });
        yield [`${id}: generated ${Object.keys(values).join()}`, id, message];
    }
}

/** Defines a field, also one of a member such as `dm.action`. */
function withField<T extends object>(message: T, path: string, descriptor: PropertyDescriptor): T {
    const [field = "", ...rest] = path.split(".");
    if (rest.length > 0) {
        const member: unknown = Reflect.get(message, field);
        withField(Object(member), rest.join("."), descriptor);
        return message;
    }
    const isData = "value" in descriptor;
    return Object.defineProperty(message, field, {
        ...descriptor,
        enumerable: true,
        configurable: true,
        ...(isData && { writable: true }),
    });
}

function sum(counts: Readonly<Record<string, number>>): number {
    return Object.values(counts).reduce((total, count) => total + count, 0);
}

function outcomeOf(error: unknown): string {
    return String(codeOf({ error }) ?? `no code: ${errorTextOf({ error })}`);
}
