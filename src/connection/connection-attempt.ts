import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { parseQos, type Qos } from "../protocol/qos";
import { LinkWatch } from "./link-watch";
import { PendingPublishes, type Settled } from "./pending-publishes";
import { type ConnectionReason, type ReasonOptions, serverOf } from "./reason";
import {
    describeEnd,
    describeMissingAcknowledgement,
    describeMissingSubscription,
    describeStall,
    describeTimeout,
    describeUntakenMessage,
} from "./reasons";
import type { ReceivedMessage, Transport, TransportEnd, TransportFactory, TransportOptions } from "./transport";

/** How an attempt ended. */
export interface AttemptEnd {
    readonly reason: ConnectionReason;
    /** How long it was online; 0 when it never was. */
    readonly onlineMs: number;
    /** Whether it was the server, or the network, that ended it, and not this side. */
    readonly fromOutside: boolean;
}

/** What happens during an attempt. */
export interface AttemptListener {
    online(sessionPresent: boolean): void;
    messageReceived(message: ReceivedMessage, accepted: () => void): void;
    strayPing(): void;
    drained(): void;
    /** Called once, last. */
    ended(end: AttemptEnd): void;
}

/** Settings and surroundings of an attempt. */
export interface AttemptOptions {
    readonly clock: Clock;
    readonly open: TransportFactory;
    readonly transport: TransportOptions;
    readonly connectTimeoutMs: number;
}

const handOverLimitMs = 30_000;

/** One attempt to connect, and the connection it becomes: limits the time of each step and watches over the link. */
export class ConnectionAttempt {
    readonly #options: AttemptOptions;
    readonly #clock: Clock;
    readonly #context: ReasonOptions;
    readonly #listener: AttemptListener;
    readonly #pending = new PendingPublishes();
    #transport: Transport | undefined;
    #watch: LinkWatch | undefined;
    #onlineSinceMs: number | undefined;
    #ownReason: ConnectionReason | undefined;
    #ended = false;
    /** Limits connecting, then the intervals of the watch, then the parting. */
    #timer: Timer | undefined;
    #handOver: Timer | undefined;
    /** Renewed by each look at the link: asking the clock for each publish would cost more than it tells. */
    #roughNowMs = 0;

    constructor(options: AttemptOptions, listener: AttemptListener) {
        this.#options = options;
        this.#clock = options.clock;
        const { password, will } = options.transport;
        this.#context = { ...options.transport, lacksToken: password === undefined, willTopic: will?.topic };
        this.#listener = listener;
    }

    get isWritable(): boolean {
        return this.#transport?.isWritable === true;
    }

    get waitingBytes(): number {
        return this.#transport?.traffic.waitingBytes ?? 0;
    }

    get pendingCount(): number {
        return this.#pending.count;
    }

    /** Starts to connect. */
    start(): void {
        const { connectTimeoutMs, open, transport } = this.#options;
        if (this.#ownReason) {
            this.#end({ kind: "closed", stage: "dialling" });
            return;
        }
        this.#timer = this.#clock.setTimer(connectTimeoutMs, () => {
            const progress = this.#transport?.progress ?? { stage: "dialling" };
            this.drop(describeTimeout(progress, connectTimeoutMs, this.#context));
        });
        try {
            this.#transport = open(transport, {
                connected: (sessionPresent) => this.#connected(sessionPresent),
                messageReceived: (message, accepted) => this.#received(message, accepted),
                strayPing: () => this.#listener.strayPing(),
                drained: () => this.#listener.drained(),
                ended: (end) => this.#end(end),
            });
        } catch (error) {
            this.#end({ kind: "failed", stage: "dialling", error });
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
            // A socket that does not even report its end must not keep anybody waiting.
            this.#end({ kind: "closed", stage: "open" });
        });
        this.#transport?.disconnect();
    }

    /** Publishes on the link; see `GatewayConnection.publish`. */
    publish(topic: string, payload: string | Buffer, qos: Qos, settled: Settled, mayBeWithheld: boolean): void {
        if (this.#ended) settled(connectionEnded(this.#context));
        else this.#transport?.publish(topic, payload, qos, this.#pending.add(settled, this.#roughNowMs, mayBeWithheld));
    }

    /** Sends a SUBSCRIBE; see `GatewayConnection.subscribe`. */
    subscribe(filter: string, qos: Qos, deadlineMs?: number): Promise<Qos> {
        const giveUp = (afterMs: number) => this.drop(describeMissingSubscription(filter, afterMs, this.#context));
        const deadline = deadlineMs === undefined ? undefined : this.#clock.setTimer(deadlineMs, () => giveUp(deadlineMs));
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

    #connected(sessionPresent: boolean): void {
        if (!this.#transport || this.#ownReason) return;
        this.#timer?.cancel();
        this.#onlineSinceMs = this.#clock.monotonicMs();
        this.#roughNowMs = this.#onlineSinceMs;
        this.#watch = new LinkWatch(this.#options.transport.keepAliveS, this.#transport.traffic, this.#onlineSinceMs);
        this.#checkLink(this.#transport, this.#watch);
        this.#listener.online(sessionPresent);
    }

    #checkLink(transport: Transport, watch: LinkWatch): void {
        this.#roughNowMs = this.#clock.monotonicMs();
        const verdict = watch.evaluate({
            nowMs: this.#roughNowMs,
            traffic: transport.traffic,
            oldestDueMs: this.#pending.oldestDueMs,
            handingOver: this.#handOver !== undefined,
        });
        if (verdict === "stalled") this.drop(describeStall(this.#context));
        else if (verdict === "acknowledgement missing") this.drop(describeMissingAcknowledgement(this.#context));
        else {
            if (verdict === "ping") transport.ping();
            this.#timer = this.#clock.setTimer(watch.tickMs, () => this.#checkLink(transport, watch));
        }
    }

    #received(message: ReceivedMessage, accepted: () => void): void {
        if (this.#ownReason && this.#isKeptByServer(message)) {
            accepted();
            return;
        }
        let taken = false;
        this.#listener.messageReceived(message, () => {
            if (taken) return;
            taken = true;
            this.#handOver?.cancel();
            this.#handOver = undefined;
            accepted();
        });
        // The next message only comes when this one is taken, so there is never more than one timer.
        if (taken || this.#ended) return;
        this.#handOver = this.#clock.setTimer(handOverLimitMs, () => this.drop(describeUntakenMessage(handOverLimitMs)));
    }

    /**
     * After our DISCONNECT no acknowledgement leaves any more: what a durable session sends again with the next connection would
     * come twice. (A message of QoS 2 is forgotten here when it has been handed over, and is not handed over again.)
     */
    #isKeptByServer({ qos }: ReceivedMessage): boolean {
        return qos === 1 && !this.#options.transport.cleanSession;
    }

    #end(end: TransportEnd): void {
        if (this.#ended) return;
        this.#ended = true;
        this.#timer?.cancel();
        this.#handOver?.cancel();
        const onlineMs = this.#onlineSinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#onlineSinceMs;
        const reason = this.#ownReason ?? describeEnd(end, this.#onlineSinceMs !== undefined, this.#context);
        const fromOutside = this.#ownReason === undefined && end.kind !== "violated";
        this.#pending.failAll(connectionEnded(this.#context));
        this.#listener.ended({ reason, onlineMs, fromOutside });
    }
}

function connectionEnded(context: ReasonOptions): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("connection.ended", { server: serverOf(context) }));
}

function subscribeRejected(filter: string, { host }: ReasonOptions): GatewayError {
    return new GatewayError("GW_SUBSCRIBE_REFUSED", translate("connection.subscriptionRefused", { host, filter }));
}
