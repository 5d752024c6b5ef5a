import type { Clock, Timer } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import type { PublishOrigin } from "../../devices/refusals/recent-publishes";
import type { Registration } from "../../devices/registration/registration";
import type { RegistrationClient } from "../../devices/registration/registration-types";
import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { CompletionCallbacks } from "../../outbox/event";
import type { Outbox } from "../../outbox/outbox";
import type { GatewayStatistics } from "../monitor/gateway-statistics";
import { beingCheckedError, notRegisteredError, unconfirmedError } from "./device-errors";
import type { RefusalHandler } from "./refusal-handler";

/** How long the newest event of a device waits that is being checked. */
const patienceMs = 30_000;

/**
 * Events of QoS 0: sent at once or failed, never queued, so they may overtake queued ones. For a device that is not checked
 * on this connection the event goes out as QoS 1, because only an acknowledgement shows the outcome of a check. While a known
 * device waits for its check, the newest event of it waits in memory.
 */
export class Qos0Publisher {
    readonly #deps: Qos0PublisherDeps;
    /** The newest event of each known device that is not checked yet. */
    readonly #waiting = new Map<string, WaitingEvent>();

    constructor(deps: Qos0PublisherDeps) {
        this.#deps = deps;
    }

    /** Sends an event; `isReady` is whether the connection can take events yet. */
    send(event: Qos0Event, isReady: boolean, completion: CompletionCallbacks): void {
        const rejection = this.#rejection(isReady);
        if (rejection) {
            completion.failed(rejection);
            return;
        }
        const { registration } = this.#deps;
        const { device } = event;
        const check = new WaitingEvent(event, completion, this);
        switch (registration.tryNow(device, check)) {
            case "flow":
                this.#publish(event, completion);
                return;
            case "check":
                this.check(check);
                return;
            case "wait":
                if (registration.isKnown(device) && !registration.isHeld(device)) this.#wait(check);
                else completion.failed(notRegisteredError(device));
        }
    }

    /** The device of a waiting event may be asked for again. */
    retry(waiting: WaitingEvent): void {
        const { device } = waiting.event;
        const answer = this.#deps.registration.register(device, "direct", waiting);
        if (answer === "wait" && !this.#deps.registration.isHeld(device)) return;
        this.#waiting.delete(device);
        waiting.stopWaiting();
        if (answer === "flow") this.#publish(waiting.event, waiting.completion);
        else if (answer === "check") this.check(waiting);
        else this.giveUp(waiting, notRegisteredError(device));
    }

    /** Sends the event as the check of its device. */
    check(waiting: WaitingEvent): void {
        const { connection, refusals, registration } = this.#deps;
        const { device, topic, payload, message } = waiting.event;
        const number = refusals.sent(device, topic, message);
        registration.sent(device, () => refusals.accepted(number));
        const answered = (error?: Error) => {
            if (error) {
                waiting.failed(connectionError(error));
                return;
            }
            refusals.acknowledged(number, true);
            registration.acknowledged(device);
        };
        connection.publish(topic, payload, 1, answered, true);
    }

    /** The event fails, and its device need not be asked for it any more. */
    giveUp(waiting: WaitingEvent, error: GatewayError): void {
        const { device } = waiting.event;
        if (this.#waiting.get(device) === waiting) this.#waiting.delete(device);
        this.#deps.registration.withdraw(device, waiting);
        waiting.failed(error);
    }

    /** The outcome of a check that was refused for good. */
    refused(waiting: WaitingEvent, error: GatewayError): void {
        this.#deps.statistics.eventRefused();
        this.giveUp(waiting, error);
    }

    /** An event was sent. */
    delivered({ completion }: WaitingEvent): void {
        this.#deps.statistics.eventHandedOver();
        completion.done();
    }

    /** The connection ended, or the gateway closes: what waits for a check has not been sent. */
    linkDown(): void {
        for (const waiting of [...this.#waiting.values()]) this.giveUp(waiting, offline());
    }

    #wait(waiting: WaitingEvent): void {
        const { clock, registration } = this.#deps;
        const { device } = waiting.event;
        const replaced = this.#waiting.get(device);
        this.#waiting.set(device, waiting);
        if (replaced) this.giveUp(replaced, beingCheckedError(device));
        waiting.startWaiting(clock.setTimer(patienceMs, () => this.giveUp(waiting, beingCheckedError(device))));
        if (registration.register(device, "direct", waiting) !== "wait") this.retry(waiting);
    }

    #publish({ device, topic, payload, message }: Qos0Event, completion: CompletionCallbacks): void {
        const { connection, refusals, statistics } = this.#deps;
        const number = refusals.sent(device, topic, message);
        connection.publish(topic, payload, 0, (error) => {
            refusals.acknowledged(number);
            if (error) {
                completion.failed(connectionError(error));
                return;
            }
            statistics.eventHandedOver();
            completion.done();
        });
    }

    #rejection(isReady: boolean): GatewayError | undefined {
        const { connection, outbox } = this.#deps;
        if (!isReady) return offline();
        if (!connection.isWritable) return new GatewayError("GW_OUTBOX_FULL", translate("gateway.directBusy"));
        if (!outbox.takeRate()) return new GatewayError("GW_OUTBOX_FULL", translate("gateway.directRate"));
        return undefined;
    }
}

/** What events of QoS 0 are sent with. */
export interface Qos0PublisherDeps {
    readonly clock: Clock;
    readonly connection: GatewayConnection;
    readonly outbox: Outbox;
    readonly registration: Registration;
    readonly refusals: RefusalHandler;
    readonly statistics: GatewayStatistics;
}

/** An event of QoS 0, ready for the wire. */
export interface Qos0Event {
    readonly device: string;
    readonly topic: string;
    readonly payload: string | Buffer;
    readonly message: PublishOrigin;
}

/** An event of QoS 0 that is the check of its device, or waits for it. */
class WaitingEvent implements RegistrationClient {
    readonly event: Qos0Event;
    readonly completion: CompletionCallbacks;
    readonly #publisher: Qos0Publisher;
    #timer: Timer | undefined;
    #isOver = false;

    constructor(event: Qos0Event, completion: CompletionCallbacks, publisher: Qos0Publisher) {
        this.event = event;
        this.completion = completion;
        this.#publisher = publisher;
    }

    wake(): void {
        this.#publisher.retry(this);
    }

    confirm(): void {
        if (this.#end()) this.#publisher.delivered(this);
    }

    requeue(device: string): void {
        this.#publisher.giveUp(this, unconfirmedError(device));
    }

    drop(_device: string, error: GatewayError): void {
        this.#publisher.refused(this, error);
    }

    startWaiting(timer: Timer): void {
        this.#timer = timer;
    }

    stopWaiting(): void {
        this.#timer?.cancel();
    }

    failed(error: GatewayError): void {
        if (this.#end()) this.completion.failed(error);
    }

    /** The outcome is known; false if it was before. */
    #end(): boolean {
        this.stopWaiting();
        const wasOver = this.#isOver;
        this.#isOver = true;
        return !wasOver;
    }
}

function offline(): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("gateway.directOffline"));
}

function connectionError(error: Error): GatewayError {
    return error instanceof GatewayError ? error : new GatewayError("GW_NOT_CONNECTED", error.message, { cause: error });
}
