import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import type { OutboxEvent } from "../../outbox/event";
import type { EventLink, Transmission } from "../../outbox/ports";
import type { GatewayStatistics } from "../monitor/gateway-statistics";
import type { EventGate } from "./event-gate";
import type { GracefulReconnect } from "./graceful-reconnect";
import type { RefusalHandler } from "./refusal-handler";

/** What takes note of each event sent. */
export interface EventSenderDeps {
    readonly clock: Clock;
    readonly connection: GatewayConnection;
    readonly statistics: GatewayStatistics;
    readonly gate: EventGate;
    readonly refusals: RefusalHandler;
    readonly gracefulReconnect: GracefulReconnect;
}

/** Hands the outbox's events to the connection, and notes each so that a refusal can be matched to it. */
export class EventSender implements EventLink {
    readonly #deps: EventSenderDeps;

    constructor(deps: EventSenderDeps) {
        this.#deps = deps;
    }

    isWritable(): boolean {
        return this.#deps.connection.isWritable && !this.#deps.gracefulReconnect.isUnderWay;
    }

    send(event: OutboxEvent, isCheck: boolean, transmission: Transmission): void {
        const { clock, statistics, connection, gate, refusals, gracefulReconnect } = this.#deps;
        const number = refusals.sent(event.device, event.topic, event.message);
        if (isCheck) gate.attemptSent(event.device, number);
        const sentMs = clock.monotonicMs();
        const answered = (error?: Error) => {
            if (error) {
                refusals.forget(number);
                transmission.failed(error);
            } else {
                refusals.acknowledged(number);
                statistics.eventAcknowledged(clock.monotonicMs() - sentMs);
                transmission.settled();
                if (isCheck) gate.attemptAcknowledged(event.device);
            }
            if (gracefulReconnect.isUnderWay) gracefulReconnect.acknowledged();
        };
        connection.publish(event.topic, event.payload, event.qos, answered, isCheck);
    }
}
