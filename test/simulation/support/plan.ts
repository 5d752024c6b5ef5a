import type { CompletionMode, Priority } from "../../../src/outbox/event";
import { SeededRandom } from "../../support/seeded-random";

const hourMs = 3_600_000;
const eventCount = 300;
/** Flows send in bursts, each of two devices. */
const burstCount = 50;
const burstMs = 1_000;
const commandCount = 30;
const requestCount = 4;
/** How long a history lasts before everything calms down. */
export const planMs = 2 * hourMs;
const deviceCount = 20;

/** What happens in a history, in the order of time: a function of the seed. Any part of it can be left out. */
export function planOf(seed: number): readonly Step[] {
    // Other numbers than those that the gateway gets: a shorter plan leaves its chances as they are.
    const random = new SeededRandom(seed ^ 0x5eed);
    const device = (): string => `d${random.integer(0, deviceCount - 1)}`;
    const steps: Step[] = [];
    const at = (action: Action, atMs = random.integer(0, planMs)): void => void steps.push({ atMs, ...action });
    const burstsMs = Array.from({ length: burstCount }, () => random.integer(0, planMs - burstMs));
    for (const burst of burstsMs) {
        const devices = [device(), device()];
        for (let event = 0; event < eventCount / burstCount; event++)
            at(eventOf(random, pick(random, devices)), burst + random.integer(0, burstMs));
    }
    for (let command = 0; command < commandCount; command++) at({ kind: "command", device: device() });
    for (let request = 0; request < requestCount; request++) at({ kind: "request", isRepeated: random.next() < 0.5 });
    for (let atMs = random.integer(1, 900) * 1_000; atMs < planMs; atMs += random.integer(1, 900) * 1_000) {
        // What fails while nothing happens shows little.
        const isAtBurst = random.next() < 0.7;
        at(fault(random, device), isAtBurst ? pick(random, burstsMs) + random.integer(0, 2 * burstMs) : atMs);
    }
    return steps
        .map((step, index) => ({ step, index }))
        .sort(byTime)
        .map(({ step }) => step);
}

function eventOf(random: SeededRandom, device: string): Action {
    return {
        kind: "event",
        device,
        priority: pick(random, ["high", "normal", "low"]),
        isLatest: random.next() < 0.25,
        completion: pick(random, ["safe", "acknowledged"]),
        qos: random.next() < 0.15 ? 2 : 1,
        ttlMs: random.next() < 0.1 ? random.integer(10, 1_800) * 1_000 : undefined,
    };
}

function byTime(one: { step: Step; index: number }, other: { step: Step; index: number }): number {
    return one.step.atMs - other.step.atMs || one.index - other.index;
}

function fault(random: SeededRandom, device: () => string): Action {
    const durationMs = random.integer(1, 300) * 1_000;
    const faults: readonly (() => Action)[] = [
        () => ({ kind: "cut" }),
        () => ({ kind: "dead line" }),
        () => ({ kind: "front end restarts" }),
        () => ({ kind: "other front end" }),
        () => ({ kind: "kill" }),
        () => ({ kind: "kill" }),
        () => ({ kind: "restart", properties: pick(random, settings) }),
        () => ({ kind: "deploy", durationMs: random.integer(0, 3_000) }),
        () => ({ kind: random.next() < 0.5 ? "release" : "forget", device: device() }),
        () => ({
            kind: "registration",
            devices: `t/d${random.integer(0, 1)}*`,
            answer: pick(random, [{ rc: 177 }, { rc: 173 }, { never: true }, { delayMs: 5_000 }]),
            durationMs,
        }),
        () => ({ kind: "acknowledgements", delayMs: random.integer(0, 1) * random.integer(100, 10_000), durationMs }),
        () => ({ kind: "slow disk", delayMs: pick(random, [20, 2_000, 20_000]), durationMs }),
        () => ({ kind: "full disk", durationMs }),
        () => ({ kind: "lost answer of the disk" }),
        () => ({ kind: "latency", latencyMs: pick(random, [1, 300, 2_000]), durationMs }),
        () => ({ kind: "wall clock", byMs: random.integer(-100, 100) * hourMs }),
        () => ({ kind: "pause", durationMs }),
        () => ({ kind: "take-over", isClean: random.next() < 0.5, durationMs: random.integer(1, 20) * 1_000 }),
    ];
    return pick(random, faults)();
}

/** Settings that a deploy may bring. */
const settings: readonly Readonly<Record<string, string>>[] = [{}, { maxInFlight: "1" }, { maxInFlight: "10" }, { maxRate: "2" }];

function pick<T>(random: SeededRandom, items: readonly [T, ...T[]] | readonly T[]): T {
    const item = items[random.integer(0, items.length - 1)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
}

/** Something that happens at a time since the beginning of the history. */
export type Step = Action & { readonly atMs: number };

/** An event of a flow. */
export interface EventAction {
    readonly kind: "event";
    readonly device: string;
    readonly priority: Priority;
    readonly isLatest: boolean;
    readonly completion: CompletionMode;
    readonly qos: 1 | 2;
    readonly ttlMs: number | undefined;
}

/** What may happen. */
export type Action =
    | EventAction
    | { readonly kind: "command" | "release" | "forget"; readonly device: string }
    | { readonly kind: "cut" | "dead line" | "front end restarts" | "other front end" | "kill" | "lost answer of the disk" }
    /** The platform asks the managed device to restart, once or twice with the same id. */
    | { readonly kind: "request"; readonly isRepeated: boolean }
    /** Another client uses the gateway's id. A clean one ends its session. */
    | { readonly kind: "take-over"; readonly isClean: boolean; readonly durationMs: number }
    /** The process ends in good order and starts again, perhaps with other settings. */
    | { readonly kind: "restart"; readonly properties: Readonly<Record<string, string>> }
    | { readonly kind: "deploy" | "full disk" | "pause"; readonly durationMs: number }
    | { readonly kind: "registration"; readonly devices: string; readonly answer: RegistrationAnswer; readonly durationMs: number }
    /** Without a delay there are none. */
    | { readonly kind: "acknowledgements" | "slow disk"; readonly delayMs: number; readonly durationMs: number }
    | { readonly kind: "latency"; readonly latencyMs: number; readonly durationMs: number }
    | { readonly kind: "wall clock"; readonly byMs: number };

interface RegistrationAnswer {
    readonly rc?: number;
    readonly never?: boolean;
    readonly delayMs?: number;
}
