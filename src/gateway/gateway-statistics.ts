import type { Clock } from "../clock";
import type { ConnectionState } from "../connection/gateway-connection";
import type { ErrorCode } from "../errors";
import type { NotificationFields } from "../protocol/notification";
import { type LatencyCounts, LatencyHistogram } from "./latency-histogram";

/** What a gateway has done since it was opened. */
export interface GatewayTotals {
    /** Events taken from the flows, whatever became of them. */
    readonly eventsAccepted: number;
    /** Events that the platform took, and of QoS 0 those that were handed to the connection. */
    readonly eventsPublished: number;
    readonly commandsReceived: number;
    readonly notificationsReceived: number;
    /** Refusals by the platform's return code; codes that this version does not know are counted as `other`. */
    readonly refused: Readonly<Record<string, number>>;
    /** Attempts to connect again, by why there was no connection. */
    readonly reconnects: Readonly<Record<string, number>>;
    /** From sending an event to its acknowledgement. */
    readonly puback: LatencyCounts;
}

/** The return codes that the platform is known to send; every other one is `other`, so that no peer can make labels without end. */
const knownReturnCodes: ReadonlySet<number> = new Set([100, 173, 177, 180, 276, 289]);

const reconnectReasons: Partial<Record<ErrorCode, string>> = {
    GW_AUTH: "not-authorised",
    GW_TLS: "tls",
    GW_NETWORK: "network",
    GW_TAKEN_OVER: "taken-over",
    GW_STALLED: "stalled",
};

/** Counts what a gateway does. Counting an event costs next to nothing; nothing is computed until somebody asks. */
export class GatewayStatistics {
    readonly #clock: Clock;
    readonly #puback = new LatencyHistogram();
    readonly #refused = new Map<string, number>();
    readonly #reconnects = new Map<string, number>();
    #eventsAccepted = 0;
    #eventsHandedOver = 0;
    #commandsReceived = 0;
    #notificationsReceived = 0;
    #phase: ConnectionState["phase"] = "closed";
    #since: number;
    #changedAt: number;

    constructor(clock: Clock) {
        this.#clock = clock;
        this.#since = clock.now();
        this.#changedAt = this.#since;
    }

    /** An event was taken from a flow. */
    eventAccepted(): void {
        this.#eventsAccepted += 1;
    }

    /** The platform acknowledged an event after so long; it does so as well with one that it refuses. */
    eventAcknowledged(durationMs: number): void {
        this.#puback.add(durationMs);
    }

    /** An event of QoS 0, which does not pass the outbox, was handed to the connection. */
    eventHandedOver(): void {
        this.#eventsHandedOver += 1;
    }

    commandReceived(): void {
        this.#commandsReceived += 1;
    }

    notificationReceived({ rc }: NotificationFields): void {
        this.#notificationsReceived += 1;
        increase(this.#refused, rc !== undefined && knownReturnCodes.has(rc) ? String(rc) : "other");
    }

    connectionChanged(state: ConnectionState): void {
        const before = this.#phase;
        this.#phase = state.phase;
        this.#changedAt = this.#clock.now();
        if ((before === "online") !== (state.phase === "online")) this.#since = this.#changedAt;
        if (state.phase !== "connecting" || before === "connecting" || !state.reason) return;
        increase(this.#reconnects, reconnectReasons[state.reason.code] ?? "other");
    }

    /** Since when the gateway is online, or is not (wall clock, milliseconds). */
    get since(): number {
        return this.#since;
    }

    /** When the connection changed last (wall clock, milliseconds). */
    get changedAt(): number {
        return this.#changedAt;
    }

    /** All counts until now; `delivered` is how many events have left the outbox because they arrived. */
    totals(delivered: number): GatewayTotals {
        return {
            eventsAccepted: this.#eventsAccepted,
            eventsPublished: delivered + this.#eventsHandedOver,
            commandsReceived: this.#commandsReceived,
            notificationsReceived: this.#notificationsReceived,
            refused: Object.fromEntries(this.#refused),
            reconnects: Object.fromEntries(this.#reconnects),
            puback: this.#puback.counts,
        };
    }
}

function increase(counts: Map<string, number>, key: string): void {
    counts.set(key, (counts.get(key) ?? 0) + 1);
}
