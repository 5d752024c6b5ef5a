import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import type { SentPacket } from "../../connection/sent-packet";
import type { Registration } from "../../devices/registration/registration";
import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { CompletionCallbacks } from "../../outbox/event";
import type { Outbox } from "../../outbox/outbox";
import type { LinkControl } from "../link-control";
import type { GatewayStatistics } from "../monitor/gateway-statistics";
import type { SuspectSearch } from "../suspects/suspect-search";
import type { SuspectClient } from "../suspects/trial";
import { beingCheckedError, closingTopicError, notRegisteredError } from "./device-errors";
import type { RefusalHandler } from "./refusal-handler";
import { type Qos0Event, type WaitingEventOwner, WaitingQos0Event } from "./waiting-qos0-event";

/** How long the newest event of a device waits that is being checked. */
const patienceMs = 30_000;

/**
 * Events of QoS 0: sent at once or failed, never queued, so they may overtake queued ones. For a device that is not checked
 * on this connection the event goes out as QoS 1, because only an acknowledgement shows the outcome of a check. While a known
 * device waits for its check, the newest event of it waits in memory.
 *
 * Of events that may be the reason why the server closes the connection, the newest of each topic waits for its test. One at which the
 * server closes it fails, as do those that follow on its topic until the next test.
 */
export class Qos0Publisher implements SuspectClient, WaitingEventOwner {
    readonly #deps: Qos0PublisherDeps;
    /** The newest event of each known device that is not checked yet. */
    readonly #waiting = new Map<string, WaitingQos0Event>();
    /** By topic: the newest event that waits for a test, its own or another's. */
    readonly #suspects = new Map<string, WaitingQos0Event>();
    /** The event that is alone on the connection, or was less than a second ago. */
    #tested: WaitingQos0Event | undefined;

    constructor(deps: Qos0PublisherDeps) {
        this.#deps = deps;
    }

    /** Sends an event; `isReady` is whether the connection can take events yet. */
    send(event: Qos0Event, isReady: boolean, completion: CompletionCallbacks): void {
        const rejection = this.#rejection(isReady);
        if (rejection) {
            this.failed(completion, rejection);
            return;
        }
        const { registration } = this.#deps;
        const { device } = event.packet;
        const waiting = new WaitingQos0Event(event, completion, this);
        const answer = registration.tryNow(device, waiting);
        if (answer !== "wait") this.#admit(waiting, answer === "check");
        else if (registration.isKnown(device) && !registration.isHeld(device)) this.#wait(waiting);
        else this.failed(completion, notRegisteredError(device));
    }

    /** The device of a waiting event may be asked for again. */
    retry(waiting: WaitingQos0Event): void {
        const { device } = waiting.event.packet;
        const answer = this.#deps.registration.register(device, "direct", waiting);
        if (answer === "wait" && !this.#deps.registration.isHeld(device)) return;
        this.#waiting.delete(device);
        waiting.stopWaiting();
        if (answer === "wait") this.giveUp(waiting, notRegisteredError(device));
        else this.#admit(waiting, answer === "check");
    }

    /** The event fails, and its device need not be asked for it any more. */
    giveUp(waiting: WaitingQos0Event, error: GatewayError): void {
        const { device, name } = waiting.event.packet;
        if (this.#waiting.get(device) === waiting) this.#waiting.delete(device);
        if (this.#suspects.get(name) === waiting) this.#suspects.delete(name);
        this.#deps.registration.withdraw(device, waiting);
        waiting.failed(error);
    }

    /** The outcome of a check that was refused for good. */
    refused(waiting: WaitingQos0Event, error: GatewayError): void {
        if (waiting.refused(error)) this.#deps.statistics.eventRefused();
        this.giveUp(waiting, error);
    }

    /** An event was not sent, or nobody knows whether it arrived. */
    failed(completion: CompletionCallbacks, error: GatewayError): void {
        this.#deps.statistics.eventRejected();
        completion.failed(error);
    }

    /** An event was sent. */
    delivered({ completion }: WaitingQos0Event): void {
        this.#deps.statistics.eventHandedOver();
        completion.done();
    }

    /** The connection ended, or the gateway closes: what waits for a check or a test has not been sent. */
    linkDown(): void {
        this.#tested?.failed(offline());
        this.#tested = undefined;
        this.#giveUpAll(offline());
    }

    /** From now on nothing is sent: what waits for a check or a test neither. */
    pause(): void {
        this.#giveUpAll(paused());
    }

    #giveUpAll(error: GatewayError): void {
        for (const waiting of [...this.#waiting.values(), ...this.#suspects.values()]) this.giveUp(waiting, error);
    }

    wake({ name }: SentPacket): void {
        const waiting = this.#suspects.get(name);
        if (!waiting) return;
        this.#suspects.delete(name);
        waiting.stopWaiting();
        this.retry(waiting);
    }

    acquitted(packet: SentPacket): void {
        this.#tested?.confirm();
        this.#tested = undefined;
        this.wake(packet);
    }

    struck(packet: SentPacket, strikes: number): void {
        const { name, device = "" } = packet;
        const error = closingTopicError(device, name);
        this.#tested?.failed(error);
        this.#tested = undefined;
        const next = this.#suspects.get(name);
        if (next) this.giveUp(next, error);
        this.#deps.suspectStruck(packet, strikes);
    }

    condemned(): void {}

    /** Sends the event, at once or as the check of its device, unless it is suspected. */
    #admit(waiting: WaitingQos0Event, isCheck: boolean): void {
        const { packet } = waiting.event;
        const answer = this.#deps.search.admit(packet, this);
        if (answer === "send" || answer === "test") {
            if (answer === "test") this.#tested = waiting;
            if (isCheck) this.#check(waiting);
            else this.#publish(waiting);
            return;
        }
        if (isCheck) this.#deps.registration.withdraw(packet.device, waiting);
        if (answer === "wait") this.#suspect(waiting);
        else waiting.failed(closingTopicError(packet.device, packet.name));
    }

    /** Keeps the event until the search wakes it. */
    #suspect(waiting: WaitingQos0Event): void {
        const { device, name } = waiting.event.packet;
        const replaced = this.#suspects.get(name);
        this.#suspects.set(name, waiting);
        replaced?.failed(beingCheckedError(device));
        waiting.startWaiting(this.#deps.clock.setTimer(patienceMs, () => this.giveUp(waiting, beingCheckedError(device))));
    }

    /** Sends the event as the check of its device. */
    #check(waiting: WaitingQos0Event): void {
        const { clock, connection, refusals, registration, search } = this.#deps;
        const { packet, payload, message } = waiting.event;
        const number = refusals.sent(packet.device, packet.name, message, clock.monotonicMs());
        registration.sent(packet.device, () => refusals.accepted(number));
        const answered = (error?: Error) => {
            const isTest = this.#tested === waiting;
            if (error) {
                // Of a test the search has the verdict.
                if (!isTest) waiting.failed(connectionError(error));
                return;
            }
            refusals.acknowledged(number, clock.monotonicMs(), true);
            registration.acknowledged(packet.device);
            if (isTest) search.acknowledged(packet);
        };
        connection.publish({ ...packet, qos: 1 }, payload, answered, true);
    }

    #wait(waiting: WaitingQos0Event): void {
        const { clock, registration } = this.#deps;
        const { device } = waiting.event.packet;
        const replaced = this.#waiting.get(device);
        this.#waiting.set(device, waiting);
        if (replaced) this.giveUp(replaced, beingCheckedError(device));
        waiting.startWaiting(clock.setTimer(patienceMs, () => this.giveUp(waiting, beingCheckedError(device))));
        if (registration.register(device, "direct", waiting) !== "wait") this.retry(waiting);
    }

    #publish(waiting: WaitingQos0Event): void {
        const { clock, connection, refusals, search } = this.#deps;
        const { packet, payload, message } = waiting.event;
        const number = refusals.sent(packet.device, packet.name, message, clock.monotonicMs());
        connection.publish(packet, payload, (error) => {
            refusals.acknowledged(number, clock.monotonicMs());
            if (error) waiting.failed(connectionError(error));
            else if (this.#tested === waiting) search.acknowledged(packet);
            else waiting.confirm();
        });
    }

    #rejection(isReady: boolean): GatewayError | undefined {
        const { connection, control, outbox } = this.#deps;
        if (!isReady) return offline();
        if (control.isPaused) return paused();
        if (connection.isRateUsedUp) return rateUsedUp();
        if (!connection.isWritable) return new GatewayError("GW_OUTBOX_FULL", translate("gateway.directBusy"));
        if (!outbox.takeRate()) return rateUsedUp();
        return undefined;
    }
}

/** What events of QoS 0 are sent with. */
export interface Qos0PublisherDeps {
    readonly clock: Clock;
    readonly connection: GatewayConnection;
    readonly control: Pick<LinkControl, "isPaused">;
    readonly outbox: Outbox;
    readonly registration: Registration;
    readonly refusals: RefusalHandler;
    readonly search: Pick<SuspectSearch, "admit" | "acknowledged">;
    readonly statistics: GatewayStatistics;
    /** The connection ended after an event, while that was alone. */
    suspectStruck(packet: SentPacket, strikes: number): void;
}

function rateUsedUp(): GatewayError {
    return new GatewayError("GW_OUTBOX_FULL", translate("gateway.directRate"));
}

function offline(): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("gateway.directOffline"));
}

function paused(): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("gateway.directPaused"));
}

function connectionError(error: Error): GatewayError {
    return error instanceof GatewayError ? error : new GatewayError("GW_NOT_CONNECTED", error.message, { cause: error });
}
