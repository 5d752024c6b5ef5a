import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import type { Registration } from "../../devices/registration/registration";
import type { OutboxEvent } from "../../outbox/event";
import type { DeviceGate, DeviceVerbs, EventLink, GateAnswer, Transmission } from "../../outbox/ports";
import type { GatewayStatistics } from "../monitor/gateway-statistics";
import type { GracefulReconnect } from "./graceful-reconnect";
import type { RefusalHandler } from "./refusal-handler";

/** The outbox's two ways to the platform: asks the registration which devices may be sent for, and hands events to the connection. */
export class OutboxPorts implements DeviceGate, EventLink {
    readonly #deps: OutboxPortsDeps;
    #outbox: DeviceVerbs = nobody;

    constructor(deps: OutboxPortsDeps) {
        this.#deps = deps;
    }

    attach(outbox: DeviceVerbs): void {
        this.#outbox = outbox;
    }

    ask(device: string, isHigh: boolean): GateAnswer {
        return this.#deps.registration.register(device, isHigh ? "high" : "event", this.#outbox);
    }

    withdraw(device: string): void {
        this.#deps.registration.withdraw(device, this.#outbox);
    }

    isHeld(device: string): boolean {
        return this.#deps.registration.isHeld(device);
    }

    /** The platform dropped what it acknowledged of the device: the outbox takes back what it has, and waits. */
    recall(device: string): void {
        this.#outbox.recall(device);
        this.#deps.registration.register(device, "event", this.#outbox);
    }

    isWritable(): boolean {
        return this.#deps.connection.isWritable && !this.#deps.gracefulReconnect.isUnderWay;
    }

    send(event: OutboxEvent, isCheck: boolean, transmission: Transmission): void {
        const { clock, statistics, connection, registration, refusals, gracefulReconnect } = this.#deps;
        const number = refusals.sent(event.device, event.topic, event.message);
        if (isCheck) registration.sent(event.device, () => refusals.accepted(number));
        const sentMs = clock.monotonicMs();
        const answered = (error?: Error) => {
            if (error) {
                refusals.forget(number);
                transmission.failed(error);
            } else {
                statistics.eventAcknowledged(clock.monotonicMs() - sentMs);
                const settle = () => {
                    refusals.acknowledged(number, isCheck);
                    transmission.settled();
                };
                const takenBack = () => refusals.forget(number);
                if (isCheck || !registration.deferred(event.device, { settle, takenBack })) settle();
                if (isCheck) registration.acknowledged(event.device);
            }
            if (gracefulReconnect.isUnderWay) gracefulReconnect.acknowledged();
        };
        connection.publish(event.topic, event.payload, event.qos, answered, isCheck);
    }
}

/** What the ports connect the outbox to. */
export interface OutboxPortsDeps {
    readonly clock: Clock;
    readonly connection: GatewayConnection;
    readonly registration: Registration;
    readonly statistics: GatewayStatistics;
    readonly refusals: RefusalHandler;
    readonly gracefulReconnect: GracefulReconnect;
}

/** Until the outbox is there. */
const nobody: DeviceVerbs = { confirm() {}, requeue() {}, drop() {}, recall() {}, wake() {} };
