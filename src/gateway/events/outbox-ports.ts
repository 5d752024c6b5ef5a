import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import type { SentPacket } from "../../connection/sent-packet";
import type { Registration } from "../../devices/registration/registration";
import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { OutboxEvent } from "../../outbox/event";
import type { DeviceGate, DeviceVerbs, EventLink, GateAnswer, Transmission } from "../../outbox/ports";
import { payloadBytes } from "../../protocol/payload";
import type { LinkControl } from "../link-control";
import type { GatewayStatistics } from "../monitor/gateway-statistics";
import type { SuspectSearch } from "../suspects/suspect-search";
import type { SuspectClient } from "../suspects/trial";
import type { GracefulEnd } from "./graceful-end";
import type { RefusalHandler } from "./refusal-handler";

/**
 * The outbox's two ways to the platform. Asks the registration and the search for suspects which devices may be sent for, and hands events
 * to the connection.
 */
export class OutboxPorts implements DeviceGate, EventLink, SuspectClient {
    readonly #deps: OutboxPortsDeps;
    /** Devices whose next event is a test and no registration. */
    readonly #testsOnly = new Set<string>();
    #outbox: DeviceVerbs = nobody;

    constructor(deps: OutboxPortsDeps) {
        this.#deps = deps;
        deps.search.attach(this);
    }

    attach(outbox: DeviceVerbs): void {
        this.#outbox = outbox;
    }

    ask(device: string, isHigh: boolean): GateAnswer {
        const turn = this.#deps.search.ask(device);
        if (turn === "wait") return "wait";
        const answer = this.#deps.registration.register(device, isHigh ? "high" : "event", this.#outbox);
        this.#testsOnly.delete(device);
        if (turn === "flow" || answer !== "flow") return answer;
        this.#testsOnly.add(device);
        return "check";
    }

    withdraw(device: string): void {
        this.#deps.search.withdraw({ kind: "event", name: "", device });
        this.#deps.registration.withdraw(device, this.#outbox);
    }

    isKnown(device: string): boolean {
        return this.#deps.registration.isKnown(device);
    }

    isHeld(device: string): boolean {
        return this.#deps.registration.isHeld(device) || this.#deps.search.isHeld(device);
    }

    /** The platform dropped what it acknowledged of the device: the outbox takes back what it has, and waits. */
    recall(device: string): void {
        this.#outbox.recall(device);
        // A place that is given at once wakes nobody.
        if (this.#deps.registration.register(device, "event", this.#outbox) !== "wait") this.#outbox.wake(device);
    }

    isWritable(): boolean {
        const { connection, control, gracefulEnd, search } = this.#deps;
        return connection.isWritable && !control.isPaused && !gracefulEnd.isUnderWay && search.allowsEvents;
    }

    send(event: OutboxEvent, isCheck: boolean, transmission: Transmission): void {
        const { clock, statistics, connection, registration, refusals, gracefulEnd, search } = this.#deps;
        const { device, topic, qos } = event;
        const packet: SentPacket = { kind: "event", name: topic, device, qos, bytes: payloadBytes(event.payload) };
        const admitted = search.admit(packet, this, event.seq);
        const isRegistering = isCheck && !this.#testsOnly.delete(device);
        if (admitted === "wait" || admitted === "blocked") {
            this.#sendBack(device, isCheck);
            return;
        }
        const sentMs = clock.monotonicMs();
        const number = refusals.sent(device, topic, event.message, sentMs, true);
        if (isRegistering) registration.sent(device, () => refusals.accepted(number));
        const answered = (error?: Error) => {
            if (error) {
                refusals.forget(number);
                transmission.failed(error);
            } else {
                const nowMs = clock.monotonicMs();
                statistics.eventAcknowledged(nowMs - sentMs);
                if (isCheck || !registration.isNewcomer(device)) {
                    refusals.eventAcknowledged(number, event, nowMs, isRegistering, transmission);
                } else {
                    transmission.acknowledged(true);
                    registration.deferred(device, {
                        settle: () => refusals.eventAcknowledged(number, event, clock.monotonicMs(), isRegistering, transmission),
                        takenBack: () => refusals.forget(number),
                    });
                }
                if (isRegistering) registration.acknowledged(device);
                if (admitted === "test") search.acknowledged(packet);
                else if (isCheck && !isRegistering) this.#outbox.confirm(device);
            }
            if (gracefulEnd.isUnderWay) gracefulEnd.acknowledged();
        };
        connection.publish(packet, event.payload, answered, isCheck);
    }

    wake({ device = "" }: SentPacket): void {
        this.#outbox.wake(device);
    }

    acquitted({ device = "" }: SentPacket): void {
        this.#outbox.confirm(device);
        this.#outbox.wake(device);
    }

    struck(packet: SentPacket, strikes: number): void {
        this.#deps.suspectStruck(packet, strikes);
    }

    condemned(packet: SentPacket, strikes: number): void {
        this.#outbox.drop(packet.device ?? "", undeliverableError(packet, strikes));
    }

    /** The event is suspected and nothing was written: it waits at the head of its device's queue until it is its turn. */
    #sendBack(device: string, isCheck: boolean): void {
        if (!isCheck) {
            this.#deps.refusals.letGo(device);
            this.#outbox.recall(device);
            return;
        }
        this.#deps.registration.withdraw(device, this.#outbox);
        this.#outbox.requeue(device);
    }
}

function undeliverableError({ name, bytes, qos, device = "" }: SentPacket, strikes: number): GatewayError {
    return new GatewayError("GW_UNDELIVERABLE", translate("gateway.undeliverable", { topic: name, device, bytes, qos, count: strikes }));
}

/** What the ports connect the outbox to. */
export interface OutboxPortsDeps {
    readonly clock: Clock;
    readonly connection: GatewayConnection;
    readonly control: Pick<LinkControl, "isPaused">;
    readonly registration: Registration;
    readonly statistics: GatewayStatistics;
    readonly refusals: RefusalHandler;
    readonly gracefulEnd: GracefulEnd;
    readonly search: SuspectSearch;
    /** The connection ended after an event, while that was alone. */
    suspectStruck(packet: SentPacket, strikes: number): void;
}

/** Until the outbox is there. */
const nobody: DeviceVerbs = { confirm() {}, requeue() {}, drop() {}, recall() {}, wake() {} };
