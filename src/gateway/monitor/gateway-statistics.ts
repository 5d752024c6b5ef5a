import type { Clock } from "../../clock";
import type { ConnectionState } from "../../connection/gateway-connection";
import { connectionStates } from "../../errors";
import type { OutboxCounters } from "../../outbox/outbox-counters";
import { type NotificationFields, returnCodes } from "../../protocol/notification";
import type { CommandOutcome } from "../inbound/command";
import type { LinkCondition } from "../link-control";

/** Counts events, commands, notifications and reconnects. Counting costs next to nothing; all else is computed on request. */
export class GatewayStatistics {
    readonly #clock: Clock;
    readonly #puback = new LatencyHistogram();
    readonly #commandTime = new LatencyHistogram(commandBoundsMs);
    readonly #commandsEnded: Record<CommandOutcome, number> = { unclaimed: 0, received: 0, answered: 0, stale: 0, bad: 0, timeout: 0 };
    // Every label is there from the start: a series that begins with its first refusal shows no growth.
    readonly #refused = zeros([...knownReturnCodes].map(String));
    readonly #reconnects = zeros([...Object.values(connectionStates), planned]);
    #eventsReceived = 0;
    #eventsRefused = 0;
    #eventsHandedOver = 0;
    #eventsRejected = 0;
    /** Refused although they counted as delivered. */
    #eventsRevoked = 0;
    #commandsReceived = 0;
    #notificationsReceived = 0;
    #phase: ConnectionState["phase"] = "closed";
    #condition: LinkCondition = { isWanted: true, isPaused: false };
    #word: LinkWord = "offline";
    #since: number;
    #changedAt: number;

    constructor(clock: Clock) {
        this.#clock = clock;
        this.#since = clock.now();
        this.#changedAt = this.#since;
    }

    /** A flow handed an event over, which may yet be refused. */
    eventReceived(): void {
        this.#eventsReceived += 1;
    }

    /** The platform acknowledged an event after so long; it does so as well with one that it refuses. */
    eventAcknowledged(durationMs: number): void {
        this.#puback.add(durationMs);
    }

    /** An event of QoS 0, which does not pass the outbox, was handed to the connection. */
    eventHandedOver(): void {
        this.#eventsHandedOver += 1;
    }

    /** An event that does not pass the outbox was refused for good, before it counted as delivered. */
    eventRefused(): void {
        this.#eventsRefused += 1;
    }

    /** The same, for an event that had counted as delivered. */
    eventRevoked(): void {
        this.#eventsRefused += 1;
        this.#eventsRevoked += 1;
    }

    /** An event that does not pass the outbox failed before it was sent, or nobody knows whether it arrived. */
    eventRejected(): void {
        this.#eventsRejected += 1;
    }

    commandReceived(): void {
        this.#commandsReceived += 1;
    }

    /** A command ended, so long after it was received; undefined where nothing had to be sent back. */
    commandEnded(outcome: CommandOutcome, tookMs: number | undefined): void {
        this.#commandsEnded[outcome] += 1;
        if (tookMs !== undefined) this.#commandTime.add(tookMs);
    }

    notificationReceived({ rc }: NotificationFields): void {
        this.#notificationsReceived += 1;
        increase(this.#refused, rc !== undefined && knownReturnCodes.has(rc) ? String(rc) : otherwise);
    }

    /** Flows or operators want something else of the link. */
    conditionChanged(condition: LinkCondition): void {
        this.#condition = condition;
        this.#noteSince();
    }

    connectionChanged(state: ConnectionState): void {
        const before = this.#phase;
        this.#phase = state.phase;
        this.#changedAt = this.#clock.now();
        this.#noteSince();
        if (state.phase !== "connecting" || before === "connecting" || !state.reason) return;
        const { code, isPlanned } = state.reason;
        increase(this.#reconnects, isPlanned ? planned : (connectionStates[code] ?? otherwise));
    }

    /** Since when the gateway is online, paused, offline or closed (wall clock, milliseconds). */
    get since(): number {
        return this.#since;
    }

    /** When the connection changed last (wall clock, milliseconds). */
    get changedAt(): number {
        return this.#changedAt;
    }

    #noteSince(): void {
        const word = wordOf(this.#phase, this.#condition);
        if (word === this.#word) return;
        this.#word = word;
        this.#since = this.#clock.now();
    }

    /** All counts until now, with those of the outbox. */
    totals({ acknowledged, recalled, refused, rejected, revoked, takenOver }: CountersOfTotals): GatewayTotals {
        const eventsPublished = acknowledged + this.#eventsHandedOver;
        return {
            eventsTakenOver: takenOver,
            eventsReceived: this.#eventsReceived,
            eventsPublished,
            eventsDelivered: eventsPublished - recalled - revoked - this.#eventsRevoked,
            eventsRejected: rejected + this.#eventsRejected,
            eventsRefused: refused + this.#eventsRefused,
            commandsReceived: this.#commandsReceived,
            commandsEnded: { ...this.#commandsEnded },
            commandTime: this.#commandTime.counts,
            notificationsReceived: this.#notificationsReceived,
            refused: Object.fromEntries(this.#refused),
            reconnects: Object.fromEntries(this.#reconnects),
            puback: this.#puback.counts,
        };
    }
}

type LinkWord = "online" | "paused" | "offline" | "closed";

function wordOf(phase: ConnectionState["phase"], { isWanted, isPaused }: LinkCondition): LinkWord {
    if (phase === "online") return isPaused ? "paused" : "online";
    return phase === "closed" && !isWanted ? "closed" : "offline";
}

type CountersOfTotals = Pick<OutboxCounters, "acknowledged" | "recalled" | "refused" | "rejected" | "revoked" | "takenOver">;

/**
 * The totals of a gateway since it was opened. Together with those of the outbox they add up: taken over + received = delivered + waiting +
 * refused + expired + dropped + superseded + undeliverable + rejected.
 */
export interface GatewayTotals {
    /** Events that waited in the file when it was opened, less those that were lost with it. */
    readonly eventsTakenOver: number;
    /** Events taken from the flows, including those that failed. */
    readonly eventsReceived: number;
    /** Events that the platform acknowledged, as it does with most that it refuses; of QoS 0 those that were handed to the connection. */
    readonly eventsPublished: number;
    /** Those of them that turned out not to have been dropped or refused: an event that is sent again is not among them until it arrives. */
    readonly eventsDelivered: number;
    /** Events that failed before they were taken on: the outbox was full, or there was no connection for one of QoS 0. */
    readonly eventsRejected: number;
    /** Events that the platform refused for good; one that is kept and sent again is not among them. */
    readonly eventsRefused: number;
    readonly commandsReceived: number;
    /** Commands that ended, by outcome, from 0 on. */
    readonly commandsEnded: Readonly<Record<CommandOutcome, number>>;
    /** From receiving a command to its end, of those that the flow had to send back. */
    readonly commandTime: LatencyCounts;
    readonly notificationsReceived: number;
    /** Refusals of anything by the platform's return code, from 0 on; codes that this version does not know are counted as `other`. */
    readonly refused: Readonly<Record<string, number>>;
    /** Attempts to connect again, by why there was no connection, from 0 on. */
    readonly reconnects: Readonly<Record<string, number>>;
    /** From sending an event to its acknowledgement. */
    readonly puback: LatencyCounts;
}

/** Every other return code is `other`, so that no peer can make labels without end. */
const knownReturnCodes: ReadonlySet<number> = new Set(Object.values(returnCodes));
const otherwise = "other";
const planned = "planned";

function zeros(keys: readonly string[]): Map<string, number> {
    return new Map([...keys, otherwise].map((key) => [key, 0]));
}

function increase(counts: Map<string, number>, key: string): void {
    counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** How often something took how long, in buckets that never change, so that a million observations take no more room than one. */
export interface LatencyCounts {
    /** Upper bounds in seconds with the number of observations up to each, in ascending order; those beyond are only in `count`. */
    readonly buckets: readonly (readonly [boundS: number, count: number])[];
    readonly count: number;
    readonly sumS: number;
}

const pubackBoundsMs = [2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/** The time of a flow is at most an hour. */
const commandBoundsMs = [10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000];

/** Counts durations; adding one is a few comparisons, as it happens for every event. */
export class LatencyHistogram {
    readonly #boundsMs: readonly number[];
    readonly #counts: number[];
    #sumMs = 0;

    constructor(boundsMs: readonly number[] = pubackBoundsMs) {
        this.#boundsMs = boundsMs;
        this.#counts = new Array<number>(boundsMs.length + 1).fill(0);
    }

    add(durationMs: number): void {
        const boundsMs = this.#boundsMs;
        let bucket = 0;
        while (bucket < boundsMs.length && durationMs > (boundsMs[bucket] ?? 0)) bucket += 1;
        this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
        this.#sumMs += durationMs;
    }

    /** The counts until now. */
    get counts(): LatencyCounts {
        let upToHere = 0;
        const buckets = this.#boundsMs.map((boundMs, index) => {
            upToHere += this.#counts[index] ?? 0;
            return [boundMs / 1000, upToHere] as const;
        });
        return { buckets, count: upToHere + (this.#counts[this.#boundsMs.length] ?? 0), sumS: this.#sumMs / 1000 };
    }
}
