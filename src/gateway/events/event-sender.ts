import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import type { OutboxEvent } from "../../outbox/event";
import type { EventLink } from "../../outbox/ports";
import type { GatewayStatistics } from "../monitor/gateway-statistics";
import type { EventGate } from "./event-gate";
import type { PlannedReconnect } from "./graceful-reconnect";
import type { Refusals } from "./refusal-handler";

/** What takes note of each event sent. */
export interface EventSenderParts {
    readonly clock: Clock;
    readonly connection: GatewayConnection;
    readonly statistics: GatewayStatistics;
    readonly gate: EventGate;
    readonly refusals: Refusals;
    readonly plannedReconnect: PlannedReconnect;
}

/** Hands the outbox's events to the connection, and notes each so that a refusal can be matched to it. */
export class EventSender implements EventLink {
    readonly #parts: EventSenderParts;

    constructor(parts: EventSenderParts) {
        this.#parts = parts;
    }

    isWritable(): boolean {
        return this.#parts.connection.isWritable && !this.#parts.plannedReconnect.isUnderWay;
    }

    send(event: OutboxEvent, settled: (error?: Error) => void): void {
        const { clock, statistics, connection, gate, refusals, plannedReconnect } = this.#parts;
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
            if (plannedReconnect.isUnderWay) plannedReconnect.acknowledged();
        };
        connection.publish(event.topic, event.payload, event.qos, acknowledged, isRegistering);
    }
}
