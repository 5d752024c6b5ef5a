import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { parseQos, type Qos } from "../protocol/qos";
import type { LinkListener } from "./link";
import { LinkWatch } from "./link-watch";
import { type PresentedCertificate, presentedCertificates } from "./presented-certificates";
import { Qos2Window } from "./qos2-window";
import { type ConnectionReason, type ReasonOptions, serverOf, tokenFaultOf } from "./reason";
import { describeEnd, describeMissingAcknowledgement, describeMissingSubscription, describeStall, describeTimeout } from "./reasons";
import type { SearchedEnd, SentPacket } from "./sent-packet";
import { SentPackets, type Settled } from "./sent-packets";
import type { Transport, TransportEnd, TransportFactory, TransportOptions, TransportOwner } from "./transport";

/** How long a careful connection must last, unused, after it has answered a ping. */
const proofMs = 1_000;

/** One attempt to connect, and the connection it becomes: limits the time of each step and watches over the link. */
export class ConnectionAttempt implements TransportOwner {
    readonly #options: AttemptOptions;
    readonly #clock: Clock;
    readonly #context: ReasonOptions;
    readonly #owner: AttemptOwner;
    readonly #sent = new SentPackets();
    /** One for each ping on its way. */
    readonly #pings: (() => void)[] = [];
    readonly #qos2Window = new Qos2Window();
    #watch: LinkWatch | undefined;
    #connectedMs: number | undefined;
    #transport: Transport | undefined;
    #isOnline = false;
    #isStalled = false;
    #ownReason: ConnectionReason | undefined;
    #ended = false;
    /** Limits connecting, then the intervals of the watch, then the parting. */
    #timer: Timer | undefined;

    constructor(options: AttemptOptions, owner: AttemptOwner) {
        this.#options = options;
        this.#clock = options.clock;
        const { password, will } = options.transport;
        this.#context = { ...options.transport, tokenFault: tokenFaultOf(password), willTopic: will?.topic };
        this.#owner = owner;
    }

    get isWritable(): boolean {
        return this.#transport?.isWritable === true && this.#qos2Window.waitingCount === 0;
    }

    get pendingCount(): number {
        return this.#sent.count + this.#qos2Window.waitingCount;
    }

    /** Publishes whose acknowledgement is due. */
    get dueCount(): number {
        return this.#sent.dueCount;
    }

    /** Publishes that were acknowledged. */
    get acknowledgedCount(): number {
        return this.#sent.acknowledgedCount;
    }

    /** The certificates that secure the connection. */
    get certificates(): readonly PresentedCertificate[] {
        return this.#transport ? presentedCertificates(this.#transport.progress) : [];
    }

    /** Sends PINGREQ. `answered` is called at the PINGRESP, unless the connection ends first. */
    ping(answered: () => void): void {
        this.#pings.push(answered);
        this.#transport?.ping();
    }

    /** Starts to connect. What happens on the open connection goes to the listener. */
    start(listener: LinkListener): void {
        const { connectTimeoutMs, open, transport } = this.#options;
        if (this.#ownReason) {
            this.ended({ kind: "closed", stage: "dialling" });
            return;
        }
        this.#timer = this.#clock.setTimer(connectTimeoutMs, () => {
            const progress = this.#transport?.progress ?? { stage: "dialling" };
            this.drop(describeTimeout(progress, connectTimeoutMs, this.#context));
        });
        try {
            this.#transport = open(transport, this, listener);
        } catch (error) {
            this.ended({ kind: "failed", stage: "dialling", error });
        }
    }

    /** Ends it at once, for a reason of our own. */
    drop(reason: ConnectionReason): void {
        this.#ownReason = reason;
        this.#transport?.destroy();
    }

    /** Ends it in good order, with DISCONNECT; at the deadline without. */
    part(reason: ConnectionReason, deadlineMs: number): void {
        this.#ownReason = reason;
        this.#timer?.cancel();
        this.#timer = this.#clock.setTimer(deadlineMs, () => {
            this.#transport?.destroy();
            // A socket that does not even report its end must not keep the caller waiting.
            this.ended({ kind: "closed", stage: "open" });
        });
        this.#transport?.disconnect();
    }

    /** Publishes on the link; see `GatewayConnection.publish`. */
    publish(packet: SentPacket, payload: string | Buffer, settled: Settled, mayBeWithheld: boolean): void {
        if (this.#ended) {
            settled(connectionEnded(this.#context));
            return;
        }
        const { qos } = packet;
        if (qos === 0 || (qos === 1 && this.#qos2Window.waitingCount === 0)) this.#send(packet, payload, settled, mayBeWithheld);
        else this.#qos2Window.publish(qos, settled, (completed) => this.#send(packet, payload, completed, mayBeWithheld));
    }

    /** Sends a SUBSCRIBE; see `GatewayConnection.subscribe`. */
    subscribe(filter: string, qos: Qos, deadlineMs?: number): Promise<Qos> {
        let deadline: Timer | undefined;
        const limit = (afterMs: number) => {
            deadline = this.#clock.setTimer(afterMs, () => {
                // The answer may be among what is not read.
                if (this.#transport?.isReadingHeld) limit(afterMs);
                else this.drop(describeMissingSubscription(filter, afterMs, this.#context));
            });
        };
        if (deadlineMs !== undefined) limit(deadlineMs);
        const answered = this.#sent.addFilter(filter, qos);
        return new Promise((resolve, reject) => {
            this.#transport?.subscribe(filter, qos, (answer) => {
                deadline?.cancel();
                if (answer !== undefined) answered();
                if (answer === undefined) reject(connectionEnded(this.#context));
                else if (answer > 2) reject(subscribeRejected(filter, this.#context));
                else resolve(parseQos(answer));
            });
        });
    }

    /** Sends an UNSUBSCRIBE; see `GatewayConnection.unsubscribe`. */
    unsubscribe(filter: string): Promise<void> {
        return new Promise((resolve, reject) => {
            this.#transport?.unsubscribe(filter, (acknowledged) => {
                if (acknowledged) resolve();
                else reject(connectionEnded(this.#context));
            });
        });
    }

    /** While held, the next message that comes is not handed over, and nothing after it is read. */
    holdReading(isHeld: boolean): void {
        this.#transport?.holdReading(isHeld);
    }

    connected(sessionPresent: boolean): void {
        if (!this.#transport || this.#ownReason) return;
        this.#connectedMs = this.#clock.monotonicMs();
        if (!this.#options.isCareful) {
            this.#online(this.#transport, sessionPresent);
            return;
        }
        this.ping(() => {
            this.#timer?.cancel();
            this.#timer = this.#clock.setTimer(proofMs, () => {
                if (this.#transport) this.#online(this.#transport, sessionPresent);
            });
        });
    }

    pinged(): void {
        this.#pings.shift()?.();
    }

    ended(end: TransportEnd): void {
        if (this.#ended) return;
        this.#ended = true;
        this.#timer?.cancel();
        const nowMs = this.#clock.monotonicMs();
        const isConnected = this.#connectedMs !== undefined;
        const reason = this.#ownReason ?? describeEnd(end, isConnected, this.#context);
        const fromOutside = this.#ownReason === undefined && end.kind !== "violated";
        // A connection that went dead lived as long as there was progress.
        const lastSignMs = this.#isStalled ? (this.#watch?.lastProgressMs ?? nowMs) : nowMs;
        const last = this.#sent.last(lastSignMs);
        this.#sent.failAll(connectionEnded(this.#context));
        this.#qos2Window.failAll(connectionEnded(this.#context));
        this.#owner.ended({
            reason,
            fromOutside,
            isConnected,
            onlineMs: this.#connectedMs === undefined ? 0 : nowMs - this.#connectedMs,
            isUnplanned: fromOutside || this.#isStalled,
            livedMs: this.#connectedMs === undefined ? 0 : Math.max(lastSignMs - this.#connectedMs, 0),
            wasUsed: this.#isOnline,
            last,
            answeredFilters: this.#sent.answeredFilters(lastSignMs),
        });
    }

    #send(packet: SentPacket, payload: string | Buffer, settled: Settled, mayBeWithheld: boolean): void {
        this.#transport?.publish(packet.name, payload, packet.qos, this.#sent.add(packet, settled, mayBeWithheld));
    }

    #online(transport: Transport, sessionPresent: boolean): void {
        this.#timer?.cancel();
        this.#isOnline = true;
        this.#watch = new LinkWatch(this.#options.transport.keepAliveS, transport.traffic, this.#clock.monotonicMs());
        this.#checkLink(transport, this.#watch);
        this.#owner.online(sessionPresent);
    }

    #checkLink(transport: Transport, watch: LinkWatch): void {
        const nowMs = this.#clock.monotonicMs();
        this.#sent.advance(nowMs);
        const verdict = watch.evaluate({
            nowMs,
            traffic: transport.traffic,
            oldestDueMs: this.#sent.oldestDueMs,
            isReadingHeld: transport.isReadingHeld,
        });
        switch (verdict) {
            case "stalled":
                this.#isStalled = true;
                this.drop(describeStall(this.#context));
                return;
            case "acknowledgement missing":
                this.#isStalled = true;
                this.drop(describeMissingAcknowledgement(this.#context));
                return;
            case "ping":
                this.ping(() => undefined);
                break;
            case "fine":
        }
        this.#timer = this.#clock.setTimer(watch.tickMs, () => this.#checkLink(transport, watch));
    }
}

/** Settings and surroundings of an attempt. */
export interface AttemptOptions {
    readonly clock: Clock;
    readonly open: TransportFactory;
    readonly transport: TransportOptions;
    readonly connectTimeoutMs: number;
    /** The connection must answer a ping and last another second before it is used. */
    readonly isCareful: boolean;
}

/** The one who makes an attempt. */
export interface AttemptOwner {
    online(sessionPresent: boolean): void;
    /** Called once, last. */
    ended(end: AttemptEnd): void;
}

/** How an attempt ended. */
export interface AttemptEnd extends SearchedEnd {
    readonly reason: ConnectionReason;
    /** How long it was online; 0 when it never was. */
    readonly onlineMs: number;
    /** Whether it was the server, or the network, that ended it, and not this side. */
    readonly fromOutside: boolean;
    /** Whether the server accepted it. */
    readonly isConnected: boolean;
}

function connectionEnded(context: ReasonOptions): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("connection.ended", { server: serverOf(context) }));
}

function subscribeRejected(filter: string, { host }: ReasonOptions): GatewayError {
    return new GatewayError("GW_SUBSCRIBE_REFUSED", translate("connection.subscriptionRefused", { host, filter }));
}
