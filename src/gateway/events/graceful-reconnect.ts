import type { Clock, Timer } from "../../clock";
import type { ConnectionReason } from "../../connection/reason";
import type { ReconnectReason } from "../../devices/registration/registration-types";
import { type TextKey, translate } from "../../i18n";

/** Acknowledgements take no longer on a good link; on another one a few events sent twice are the lesser evil. */
const patienceMs = 5_000;

/** Ends a connection that works for the sake of a new one: nothing more is sent, what is in flight is waited for, so that nothing is sent twice. */
export class GracefulReconnect {
    readonly #deps: GracefulReconnectDeps;
    #reason: ConnectionReason | undefined;
    #timer: Timer | undefined;

    constructor(deps: GracefulReconnectDeps) {
        this.#deps = deps;
    }

    /** Whether nothing more should be sent on this connection. */
    get isUnderWay(): boolean {
        return this.#reason !== undefined;
    }

    /** Begins: from now on nothing is sent. */
    begin(reason: ReconnectReason): void {
        if (this.#reason) return;
        this.#reason = { code: "GW_NETWORK", isPlanned: true, text: translate(texts[reason]) };
        this.#timer = this.#deps.clock.setTimer(patienceMs, () => this.#carryOut());
        this.acknowledged();
    }

    /** An acknowledgement came, and has been taken note of. */
    acknowledged(): void {
        if (this.#reason && this.#deps.pendingCount() <= this.#deps.unansweredCount()) this.#carryOut();
    }

    /** The connection has ended, for this or another reason. */
    linkDown(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#reason = undefined;
    }

    #carryOut(): void {
        const reason = this.#reason;
        this.linkDown();
        if (reason) this.#deps.reconnect(reason);
    }
}

/** What a planned reconnect acts on. */
export interface GracefulReconnectDeps {
    readonly clock: Clock;
    /** Publishes that wait for their acknowledgement. */
    pendingCount(): number;
    /** Those of them whose acknowledgement will not come. */
    unansweredCount(): number;
    /** Ends the connection and opens a new one. */
    reconnect(reason: ConnectionReason): void;
}

const texts = {
    "connection-limit": "gateway.connectionLimit",
    "stuck-registrations": "gateway.stuckRegistrations",
    "cut-off-registrations": "gateway.cutOffRegistrations",
} as const satisfies Record<ReconnectReason, TextKey>;
