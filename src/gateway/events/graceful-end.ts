import type { Clock, Timer } from "../../clock";
import type { ConnectionReason } from "../../connection/reason";
import type { ReconnectReason } from "../../devices/registration/registration-types";
import { type TextKey, translate } from "../../i18n";

/** Acknowledgements take no longer on a good link; on another one a few events sent twice are the lesser evil. */
const patienceMs = 5_000;

/**
 * Ends a connection that works, for a new one or for good: nothing more is sent, what is in flight is waited for, so that nothing is sent
 * twice.
 */
export class GracefulEnd {
    readonly #deps: GracefulEndDeps;
    #carryOut: (() => void) | undefined;
    #timer: Timer | undefined;

    constructor(deps: GracefulEndDeps) {
        this.#deps = deps;
    }

    /** Whether nothing more should be sent on this connection. */
    get isUnderWay(): boolean {
        return this.#carryOut !== undefined;
    }

    /** A new connection follows; nothing happens if the end of this one is under way already. */
    reconnect(reason: ReconnectReason): void {
        if (this.#carryOut) return;
        const why: ConnectionReason = { code: "GW_NETWORK", isPlanned: true, text: translate(texts[reason]) };
        this.#begin(() => this.#deps.reconnect(why));
    }

    /** No other connection follows, even if one was to. */
    stop(): void {
        this.#begin(() => this.#deps.stop());
    }

    /** An acknowledgement came, and has been taken note of. */
    acknowledged(): void {
        if (this.#carryOut && this.#deps.pendingCount() <= this.#deps.unansweredCount()) this.#end();
    }

    /** The connection has ended, for this or another reason. */
    linkDown(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#carryOut = undefined;
    }

    #begin(carryOut: () => void): void {
        this.#carryOut = carryOut;
        this.#timer ??= this.#deps.clock.setTimer(patienceMs, () => this.#end());
        this.acknowledged();
    }

    #end(): void {
        const carryOut = this.#carryOut;
        this.linkDown();
        carryOut?.();
    }
}

/** What a planned end acts on. */
export interface GracefulEndDeps {
    readonly clock: Clock;
    /** Publishes that wait for their acknowledgement. */
    pendingCount(): number;
    /** Those of them whose acknowledgement will not come. */
    unansweredCount(): number;
    /** Ends the connection and opens a new one. */
    reconnect(reason: ConnectionReason): void;
    /** Ends the connection. */
    stop(): void;
}

const texts = {
    "connection-limit": "gateway.connectionLimit",
    "stuck-registrations": "gateway.stuckRegistrations",
    "cut-off-registrations": "gateway.cutOffRegistrations",
} as const satisfies Record<ReconnectReason, TextKey>;
