import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { parseQos, type Qos } from "../protocol/qos";
import type { LinkListener } from "./link";
import { LinkWatch } from "./link-watch";
import { PendingPublishes, type Settled } from "./pending-publishes";
import { type ConnectionReason, type ReasonOptions, serverOf, tokenFaultOf } from "./reason";
import { describeEnd, describeMissingAcknowledgement, describeMissingSubscription, describeStall, describeTimeout } from "./reasons";
import type { Transport, TransportEnd, TransportFactory, TransportOptions, TransportOwner } from "./transport";

/** One attempt to connect, and the connection it becomes: limits the time of each step and watches over the link. */
export class ConnectionAttempt implements TransportOwner {
    readonly #options: AttemptOptions;
    readonly #clock: Clock;
    readonly #context: ReasonOptions;
    readonly #owner: AttemptOwner;
    readonly #pending = new PendingPublishes();
    #transport: Transport | undefined;
    #onlineSinceMs: number | undefined;
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
        return this.#transport?.isWritable === true;
    }

    get pendingCount(): number {
        return this.#pending.count;
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
    publish(topic: string, payload: string | Buffer, qos: Qos, settled: Settled, mayBeWithheld: boolean): void {
        if (this.#ended) settled(connectionEnded(this.#context));
        else this.#transport?.publish(topic, payload, qos, this.#pending.add(settled, mayBeWithheld));
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
        return new Promise((resolve, reject) => {
            this.#transport?.subscribe(filter, qos, (answer) => {
                deadline?.cancel();
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
        this.#timer?.cancel();
        const nowMs = this.#clock.monotonicMs();
        this.#onlineSinceMs = nowMs;
        this.#checkLink(this.#transport, new LinkWatch(this.#options.transport.keepAliveS, this.#transport.traffic, nowMs));
        this.#owner.online(sessionPresent);
    }

    ended(end: TransportEnd): void {
        if (this.#ended) return;
        this.#ended = true;
        this.#timer?.cancel();
        const onlineMs = this.#onlineSinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#onlineSinceMs;
        const reason = this.#ownReason ?? describeEnd(end, this.#onlineSinceMs !== undefined, this.#context);
        const fromOutside = this.#ownReason === undefined && end.kind !== "violated";
        this.#pending.failAll(connectionEnded(this.#context));
        this.#owner.ended({ reason, onlineMs, fromOutside });
    }

    #checkLink(transport: Transport, watch: LinkWatch): void {
        const nowMs = this.#clock.monotonicMs();
        this.#pending.advance(nowMs);
        const verdict = watch.evaluate({
            nowMs,
            traffic: transport.traffic,
            oldestDueMs: this.#pending.oldestDueMs,
            isReadingHeld: transport.isReadingHeld,
        });
        switch (verdict) {
            case "stalled":
                this.drop(describeStall(this.#context));
                return;
            case "acknowledgement missing":
                this.drop(describeMissingAcknowledgement(this.#context));
                return;
            case "ping":
                transport.ping();
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
}

/** The one who makes an attempt. */
export interface AttemptOwner {
    online(sessionPresent: boolean): void;
    /** Called once, last. */
    ended(end: AttemptEnd): void;
}

/** How an attempt ended. */
export interface AttemptEnd {
    readonly reason: ConnectionReason;
    /** How long it was online; 0 when it never was. */
    readonly onlineMs: number;
    /** Whether it was the server, or the network, that ended it, and not this side. */
    readonly fromOutside: boolean;
}

function connectionEnded(context: ReasonOptions): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("connection.ended", { server: serverOf(context) }));
}

function subscribeRejected(filter: string, { host }: ReasonOptions): GatewayError {
    return new GatewayError("GW_SUBSCRIBE_REFUSED", translate("connection.subscriptionRefused", { host, filter }));
}
