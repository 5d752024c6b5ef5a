import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import type { OutboxEvent } from "../../outbox/event";
import type { EventLink } from "../../outbox/ports";
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

    send(event: OutboxEvent, settled: (error?: Error) => void): void {
        const { clock, statistics, connection, gate, refusals, gracefulReconnect } = this.#deps;
        const number = refusals.sent(event.device, event.topic, event.message);
        const isRegistering = gate.sent(event, number);
        const sentMs = clock.monotonicMs();
        const acknowledged = (error?: Error) => {
            if (error) {
                refusals.forget(number);
            } else {
                refusals.acknowledged(number);
                statistics.eventAcknowledged(clock.monotonicMs() - sentMs);
            }
            settled(error);
            if (gracefulReconnect.isUnderWay) gracefulReconnect.acknowledged();
        };
        connection.publish(event.topic, event.payload, event.qos, acknowledged, isRegistering);
    }
}
