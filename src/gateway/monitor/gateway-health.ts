import type { Clock, Timer } from "../../clock";
import type { OutboxCounters } from "../../outbox/outbox-counters";
import type { GatewayState } from "../gateway-state";
import type { Subscription } from "../inbound/message-router";
import { type CertificateView, certificateThreshold } from "./certificate-watch";
import type { GatewayStatistics } from "./gateway-statistics";

/**
 * The health of a gateway for machines, and who is notified of it: with the start of the flows, of each change at most once a second,
 * and at intervals. Numbers alone are no change, so a flow that sends its health as an event does not feed itself: an event in flight on
 * a connection waits for nothing.
 */
export class GatewayHealth {
    readonly #deps: GatewayHealthDeps;
    readonly #listeners = new Set<HealthSubscription>();
    #timer: Timer | undefined;
    #areFlowsRunning = false;

    constructor(deps: GatewayHealthDeps) {
        this.#deps = deps;
    }

    /** The health at this moment. Each call makes a value of its own. */
    read(): HealthReport {
        const { statistics } = this.#deps;
        const state = this.#deps.state();
        const counters = this.#deps.counters();
        const certificate = this.#deps.certificate();
        const { eventsReceived, eventsDelivered, eventsRefused } = statistics.totals(counters);
        return {
            state: stateName(state),
            since: new Date(statistics.since).toISOString(),
            ...problemOf(state),
            waiting: { events: counters.queued, bytes: counters.queuedBytes, ...waitingByPriority(counters) },
            ...(state.drain && {
                drain: { eventsPerS: state.drain.eventsPerS, secondsLeft: Math.ceil(state.drain.remainingMs / 1000) },
            }),
            held: state.heldDevices,
            undelivered: counters.undelivered,
            ...(certificate && { certificate }),
            totals: {
                received: eventsReceived,
                delivered: eventsDelivered,
                refused: eventsRefused,
                expired: counters.expired,
                dropped: counters.dropped,
                superseded: counters.superseded,
                undeliverable: counters.undeliverable,
            },
        };
    }

    /**
     * Notifies the listener until the subscription is closed; first when the flows run.
     * @param intervalMs besides, notifies it this often; undefined = on changes only
     */
    watch(intervalMs: number | undefined, listener: HealthListener): Subscription {
        const subscription: HealthSubscription = { intervalMs, listener, reported: undefined, reportedMs: 0 };
        this.#listeners.add(subscription);
        if (this.#areFlowsRunning) this.#start();
        return {
            close: () => {
                this.#listeners.delete(subscription);
                if (this.#listeners.size === 0) this.#stop();
            },
        };
    }

    /** The flows stop: nothing is reported until they run again. */
    pause(): void {
        this.#areFlowsRunning = false;
        this.#stop();
    }

    /** The flows run. */
    resume(): void {
        this.#areFlowsRunning = true;
        if (this.#listeners.size > 0) this.#start();
    }

    #start(): void {
        this.#timer ??= this.#deps.clock.setTimer(0, () => this.#check());
    }

    #stop(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #check(): void {
        this.#timer = this.#deps.clock.setTimer(everyMs, () => this.#check());
        const change = this.#changeKey();
        const nowMs = this.#deps.clock.monotonicMs();
        for (const subscription of this.#listeners) {
            const { intervalMs, reported, reportedMs } = subscription;
            // The timer may fire a moment early or late.
            const isIntervalOver = intervalMs !== undefined && nowMs - reportedMs >= intervalMs - everyMs / 2;
            if (reported === change && !isIntervalOver) continue;
            subscription.reported = change;
            subscription.reportedMs = nowMs;
            subscription.listener(this.read());
        }
    }

    /** A text that is another one after each change that is worth a report. */
    #changeKey(): string {
        const state = this.#deps.state();
        const { queued, inFlight, high, unsentHigh, undelivered } = this.#deps.counters();
        const isOnline = state.connection.phase === "online";
        const waiting = isOnline ? queued - inFlight : queued;
        const waitingHigh = isOnline ? unsentHigh : high;
        const certificate = this.#deps.certificate();
        return JSON.stringify([
            stateName(state),
            problemOf(state).code,
            waiting > 0,
            waitingHigh > 0,
            state.heldDevices > 0,
            undelivered > 0,
            certificate ? certificateThreshold(certificate) : "far",
        ]);
    }
}

/** The oldest of the events that are not acknowledged, and their numbers by priority. */
export function waitingByPriority({
    oldestAt,
    high,
    normal,
    low,
}: Pick<OutboxCounters, "oldestAt" | "high" | "normal" | "low">): Omit<HealthReport["waiting"], "events" | "bytes"> {
    return { ...(oldestAt !== undefined && { oldestAt: new Date(oldestAt).toISOString() }), high, normal, low };
}

/** What the health is read from. */
export interface GatewayHealthDeps {
    readonly clock: Clock;
    readonly statistics: GatewayStatistics;
    state(): GatewayState;
    counters(): OutboxCounters;
    /** The certificate of the connection that ends first. */
    certificate(): CertificateView | undefined;
}

/** The states of a gateway by their stable names. */
export const healthStates = ["connected", "connecting", "disconnected", "paused", "closed"] as const;
export type HealthState = (typeof healthStates)[number];

/** Gets each report. It may not throw. */
export type HealthListener = (report: HealthReport) => void;

/** The health of a gateway. Times are ISO 8601. Contains no secret. */
export interface HealthReport {
    /**
     * `connected`; `connecting` = the first attempt is under way; `disconnected` = it is tried again; `paused` = connected, and no events
     * are sent; `closed` = nobody wants a connection. The names are stable and not translated.
     */
    readonly state: HealthState;
    readonly since: string;
    /** What is wrong, by the code of the error and for people. */
    readonly code?: string;
    readonly reason?: string;
    /** Events that are not acknowledged yet, and when the oldest of them entered the outbox; the last three are their numbers by priority. */
    readonly waiting: {
        readonly events: number;
        readonly bytes: number;
        readonly oldestAt?: string;
        readonly high: number;
        readonly normal: number;
        readonly low: number;
    };
    /** Present while a backlog gets smaller. */
    readonly drain?: { readonly eventsPerS: number; readonly secondsLeft: number };
    /** Devices that the platform failed to register. */
    readonly held: number;
    /** Events that ended without delivery and are in the list of those. */
    readonly undelivered: number;
    /** The certificate of the last connection that ends first; absent without TLS. `daysLeft` is 0 or less when it has expired. */
    readonly certificate?: CertificateView;
    /** Events since the start of the gateway. */
    readonly totals: {
        readonly received: number;
        readonly delivered: number;
        readonly refused: number;
        readonly expired: number;
        readonly dropped: number;
        readonly superseded: number;
        readonly undeliverable: number;
    };
}

interface HealthSubscription {
    readonly intervalMs: number | undefined;
    readonly listener: HealthListener;
    /** The change that was reported last. */
    reported: string | undefined;
    /** When (monotonic). */
    reportedMs: number;
}

const everyMs = 1_000;

function stateName({ connection, isWanted, isPaused }: GatewayState): HealthState {
    if (connection.phase === "online") return isPaused ? "paused" : "connected";
    if (connection.phase === "closed" && !isWanted) return "closed";
    const isFirst = connection.phase === "closed" || (connection.phase === "connecting" && !connection.reason);
    return isFirst ? "connecting" : "disconnected";
}

function problemOf({ connection, storeProblem }: GatewayState): { readonly code?: string; readonly reason?: string } {
    const reason = "reason" in connection ? connection.reason : undefined;
    if (reason) return { code: reason.code, reason: reason.text };
    return storeProblem ? { code: storeProblem.code, reason: storeProblem.message } : {};
}
