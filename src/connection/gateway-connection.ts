import { systemChance } from "../chance";
import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import { joinSentences, translate } from "../i18n";
import type { Qos } from "../protocol/qos";
import { type AttemptEnd, ConnectionAttempt } from "./connection-attempt";
import type { LinkListener } from "./link";
import { mqttTransportFactory } from "./mqtt-transport";
import type { PresentedCertificate } from "./presented-certificates";
import { PublishRate } from "./publish-rate";
import { type ConnectionReason, serverOf } from "./reason";
import { authorisationPauseMs, describeCulprit, describeSearch, describeTakeOver, takeOverPauseMs } from "./reasons";
import { BackOff, TakeOverDetector } from "./reconnect-policy";
import type { EndJudge, EndVerdict, SentPacket } from "./sent-packet";
import type { Settled } from "./sent-packets";
import type { TransportFactory, TransportOptions } from "./transport";

const defaultConnectTimeoutMs = 30_000;
const partingMs = 2_000;

/**
 * The MQTT connection of one gateway. It always comes back, and gives a readable reason while it is down. It queues nothing: a publish
 * without a connection fails at once.
 *
 * | phase | left by |
 * |---|---|
 * | `closed` | `start` → `connecting` |
 * | `connecting` | CONNACK → `online`; the end of the attempt → `waiting` |
 * | `online` | the end of the connection → `waiting`; `reconnect` → `connecting` |
 * | `waiting` | the end of the back-off, or `reconnect` → `connecting` |
 *
 * `stop` leads from each of them to `closed`.
 */
export class GatewayConnection {
    readonly #clock: Clock;
    readonly #open: TransportFactory;
    readonly #backOff: BackOff;
    readonly #judge: EndJudge | undefined;
    readonly #takeOver = new TakeOverDetector();
    readonly #connectTimeoutMs: number;
    readonly #transportOptions: TransportOptions;
    /** Absent: no limit. */
    readonly #rate: PublishRate | undefined;
    /** From `start` on. */
    #listener: ConnectionListener | undefined;
    #state: ConnectionState = { phase: "closed" };
    #attempt: ConnectionAttempt | undefined;
    #retry: Timer | undefined;
    /** Set while the connection is closed on purpose, to open it again: the next attempt then follows at once. */
    #renewal: ConnectionReason | undefined;
    #isReadingHeld = false;
    #stopped: Promise<void> | undefined;
    #resolveStopped: () => void = () => {};

    constructor(options: ConnectionOptions) {
        const { clock, random = systemChance.random, transportFactory, judge, ...rest } = options;
        const { connectTimeoutMs = defaultConnectTimeoutMs, maxBytesPerS = 0, ...transportOptions } = rest;
        this.#judge = judge;
        this.#clock = clock;
        this.#open = transportFactory ?? mqttTransportFactory(random);
        this.#backOff = new BackOff(random);
        this.#connectTimeoutMs = connectTimeoutMs;
        this.#transportOptions = transportOptions;
        this.#rate = maxBytesPerS > 0 ? new PublishRate(maxBytesPerS, clock, () => this.#ratePaid()) : undefined;
    }

    get state(): ConnectionState {
        return this.#state;
    }

    get isOnline(): boolean {
        return this.#state.phase === "online";
    }

    /** Whether the link takes more at the moment, also by its rate. While it is false, publishes wait in memory. */
    get isWritable(): boolean {
        return this.#online?.isWritable === true && !this.isRateUsedUp;
    }

    /** Whether the bytes that may be published are used up. What cannot wait may be published all the same, and the rest waits longer. */
    get isRateUsedUp(): boolean {
        return this.#rate?.isUsedUp === true;
    }

    /** Publishes that wait for their acknowledgement. */
    get pendingCount(): number {
        return this.#attempt?.pendingCount ?? 0;
    }

    /** Publishes whose acknowledgement is due: not those that the server may withhold. */
    get dueCount(): number {
        return this.#attempt?.dueCount ?? 0;
    }

    /** Publishes that were acknowledged on this connection. */
    get acknowledgedCount(): number {
        return this.#attempt?.acknowledgedCount ?? 0;
    }

    /** The certificates that secure the connection; none without TLS, or without a connection. */
    get certificates(): readonly PresentedCertificate[] {
        return this.#online?.certificates ?? [];
    }

    /** Sends PINGREQ. `answered` is called at the PINGRESP, unless the connection ends first. */
    ping(answered: () => void): void {
        this.#online?.ping(answered);
    }

    /** Opens the connection and keeps it open, until `stop`. */
    start(listener: ConnectionListener): void {
        if (this.#state.phase !== "closed" || this.#stopped) return;
        this.#listener = listener;
        this.#connect();
    }

    /** Sends DISCONNECT and closes; at the deadline it closes without ceremony. Resolves when the connection is gone. */
    stop(deadlineMs: number): Promise<void> {
        if (this.#stopped) return this.#stopped;
        this.#retry?.cancel();
        if (!this.#attempt) {
            this.#change({ phase: "closed" });
            return Promise.resolve();
        }
        this.#stopped = new Promise((resolve) => {
            this.#resolveStopped = resolve;
        });
        const stopped = this.#stopped;
        this.#attempt.part({ code: "GW_NETWORK", text: translate("connection.stopped") }, deadlineMs);
        return stopped;
    }

    /** Closes the connection in good order and opens it at once again; while waiting, it cuts the wait short. */
    reconnect(reason: ConnectionReason): void {
        if (this.#stopped || this.#state.phase === "closed") return;
        if (!this.#attempt) {
            this.#connect(reason);
            return;
        }
        this.#renewal = reason;
        this.#change({ phase: "connecting", reason });
        this.#attempt?.part(reason, partingMs);
    }

    /**
     * Publishes. `settled` is called once: without an error on the acknowledgement (QoS 0: handed to the socket), with
     * `GW_NOT_CONNECTED` when there is no connection or it ends first. It may be called before this returns.
     * @param mayBeWithheld the server may hold its acknowledgement back, which says nothing of the link: a registration attempt or a test
     */
    publish(packet: SentPacket, payload: string | Buffer, settled: Settled, mayBeWithheld = false): void {
        const attempt = this.#online;
        if (!attempt) {
            settled(this.#notConnected());
            return;
        }
        this.#rate?.sent(packet);
        attempt.publish(packet, payload, settled, mayBeWithheld);
    }

    /**
     * Sends one SUBSCRIBE with one filter; resolves with the quality of service granted.
     * @param deadlineMs without an answer until then the connection is closed and opened again; absent = the answer may be withheld indefinitely
     * @throws GW_SUBSCRIBE_REFUSED when the server refuses it, GW_NOT_CONNECTED when there is no answer
     */
    subscribe(filter: string, qos: Qos, deadlineMs?: number): Promise<Qos> {
        return this.#online?.subscribe(filter, qos, deadlineMs) ?? Promise.reject(this.#notConnected());
    }

    /**
     * Sends one UNSUBSCRIBE with one filter.
     * @throws GW_NOT_CONNECTED when there is no answer
     */
    unsubscribe(filter: string): Promise<void> {
        return this.#online?.unsubscribe(filter) ?? Promise.reject(this.#notConnected());
    }

    /** While held, the next message that comes is not handed over, and nothing after it is read. That is no stall. */
    holdReading(isHeld: boolean): void {
        this.#isReadingHeld = isHeld;
        this.#attempt?.holdReading(isHeld);
    }

    get #online(): ConnectionAttempt | undefined {
        return this.isOnline && !this.#stopped ? this.#attempt : undefined;
    }

    #connect(reason?: ConnectionReason): void {
        const listener = this.#listener;
        if (!listener) return;
        this.#retry?.cancel();
        const attempt = new ConnectionAttempt(
            {
                clock: this.#clock,
                open: this.#open,
                transport: this.#transportOptions,
                connectTimeoutMs: this.#connectTimeoutMs,
                isCareful: this.#judge?.isNextCareful === true,
            },
            {
                online: (sessionPresent) => this.#change({ phase: "online", sessionPresent }),
                ended: (end) => this.#ended(end),
            },
        );
        this.#attempt = attempt;
        this.#change(reason ? { phase: "connecting", reason } : { phase: "connecting" });
        attempt.start(listener);
        attempt.holdReading(this.#isReadingHeld);
    }

    #ended(end: AttemptEnd): void {
        this.#attempt = undefined;
        const renewal = this.#renewal;
        this.#renewal = undefined;
        const verdict = (end.isConnected && this.#judge?.ended(end)) || unknown;
        if (this.#stopped) this.#finishStop();
        else if (renewal) this.#connect(renewal);
        else this.#waitAfter(end, verdict);
    }

    #finishStop(): void {
        this.#stopped = undefined;
        this.#change({ phase: "closed" });
        this.#resolveStopped();
    }

    #waitAfter(end: AttemptEnd, verdict: EndVerdict): void {
        const reason = this.#reasonOf(end, verdict);
        if (verdict.reason === "culprit" || verdict.isLinkProven) this.#backOff.reset();
        const retryInMs = Math.round(this.#backOff.nextDelayMs(end.onlineMs, pauseAfter(reason)));
        this.#retry = this.#clock.setTimer(retryInMs, () => this.#connect(reason));
        this.#change({ phase: "waiting", reason, retryInMs });
    }

    /**
     * Another client is suspected only where nothing that was sent explains the ends. While the search goes on, nothing does yet: the other
     * client ends each connection before the search has an outcome.
     */
    #reasonOf({ reason, onlineMs, fromOutside }: AttemptEnd, verdict: EndVerdict): ConnectionReason {
        if (verdict.reason === "culprit") {
            if (verdict.isCertain) this.#takeOver.explained();
            return describeCulprit(verdict.packet, this.#transportOptions);
        }
        const takenOver = fromOutside && onlineMs > 0 && this.#takeOver.connectionEnded(this.#clock.monotonicMs(), onlineMs);
        if (takenOver) return describeTakeOver(this.#transportOptions);
        // Of a dead link the gateway knows more than that it searches.
        return verdict.reason === "searching" && fromOutside ? describeSearch(this.#transportOptions) : reason;
    }

    #ratePaid(): void {
        if (this.isOnline) this.#listener?.drained();
    }

    #change(state: ConnectionState): void {
        this.#state = state;
        if (state.phase === "closed") this.#rate?.stop();
        this.#listener?.stateChanged(state);
    }

    #notConnected(): GatewayError {
        const none = translate("connection.none", { server: serverOf(this.#transportOptions) });
        const why = "reason" in this.#state && this.#state.reason ? [this.#state.reason.text] : [];
        return new GatewayError("GW_NOT_CONNECTED", joinSentences([none, ...why]));
    }
}

/** The one who owns a connection: its states, and what happens on the link while it is open. Nothing of this may throw. */
export interface ConnectionListener extends LinkListener {
    stateChanged(state: ConnectionState): void;
}

/** Where the connection stands. `waiting` gives the reason and the time of the next attempt. */
export type ConnectionState =
    | { readonly phase: "closed" }
    | { readonly phase: "connecting"; readonly reason?: ConnectionReason }
    | { readonly phase: "online"; readonly sessionPresent: boolean }
    | { readonly phase: "waiting"; readonly reason: ConnectionReason; readonly retryInMs: number };

/** Settings and surroundings of a connection. */
export interface ConnectionOptions extends TransportOptions {
    readonly clock: Clock;
    /** A number from 0 to below 1, for the jitter. */
    readonly random?: () => number;
    readonly transportFactory?: TransportFactory;
    /** From the first packet to the CONNACK; 30 s when absent. */
    readonly connectTimeoutMs?: number;
    /** Bytes of PUBLISH packets that may be sent in a second; 0 or absent = no limit. */
    readonly maxBytesPerS?: number;
    /** Looks for the reason of short-lived connections in what was sent on them. */
    readonly judge?: EndJudge;
}

const unknown: EndVerdict = { reason: "unknown", isLinkProven: false };

/** Some causes need a person to remove them; until then a server should not be pressed. */
function pauseAfter(reason: ConnectionReason): number {
    if (reason.code === "GW_AUTH") return authorisationPauseMs;
    return reason.code === "GW_TAKEN_OVER" ? takeOverPauseMs : 0;
}
