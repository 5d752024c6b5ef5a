import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import { Inventory } from "../../devices/inventory/inventory";
import { Registration } from "../../devices/registration/registration";
import type { Hold } from "../../devices/registration/registration-types";
import { translate } from "../../i18n";
import type { CompletionCallbacks, OutboxEvent } from "../../outbox/event";
import { Outbox } from "../../outbox/outbox";
import type { OutboxLimits } from "../../outbox/outbox-limits";
import type { EventStore, StateStore } from "../../outbox/store/store";
import { deviceKey, parseDeviceKey } from "../../protocol/identity";
import type { DeviceManagement } from "../device-management";
import type { GatewayListeners, LateMessage } from "../gateway-listeners";
import type { GatewayOptions } from "../gateway-options";
import type { GatewayState } from "../gateway-state";
import type { GatewayStatistics } from "../monitor/gateway-statistics";
import { EventGate } from "./event-gate";
import type { EventRequest } from "./event-request";
import { EventSender } from "./event-sender";
import { GracefulReconnect } from "./graceful-reconnect";
import { deviceHeldError } from "./held-errors";
import { Qos0Publisher } from "./qos0-publisher";
import { type ReceivedNotification, RefusalHandler } from "./refusal-handler";
import { madeLater, type RegistrationClient, RegistrationRouter } from "./registration-router";

/** What event delivery works with. */
export interface EventPublisherDeps {
    readonly options: GatewayOptions;
    readonly clock: Clock;
    readonly connection: GatewayConnection;
    readonly events: EventStore;
    readonly state: StateStore;
    readonly listeners: GatewayListeners;
    readonly statistics: GatewayStatistics;
    /** The subscriptions, whose concrete filters may be registration attempts as well. */
    readonly subscriptions: () => RegistrationClient;
    /** Device management, whose messages may be registration attempts, and which wants to know who is there. */
    readonly management: () => Pick<DeviceManagement, "registrationClient" | "deviceUsed" | "deviceChanged">;
}

/** Brings events from the nodes to the platform: through the outbox, past the registration of their devices. */
export class EventPublisher {
    readonly outbox: Outbox;
    readonly registration: Registration;
    readonly inventory: Inventory;
    readonly #refusals: RefusalHandler;
    readonly #gracefulReconnect: GracefulReconnect;
    readonly #deps: EventPublisherDeps;
    readonly #qos0Publisher: Qos0Publisher;
    /** Whether refusals can be received, so that events may be sent. */
    #isReady = false;

    constructor(deps: EventPublisherDeps) {
        const { options, clock, connection, events, state, listeners, statistics } = deps;
        this.#deps = deps;
        const gate = new EventGate({
            registration: () => this.registration,
            refusals: () => this.#refusals,
        });
        this.registration = new Registration({
            clock,
            listener: this.#registrationRouter(gate),
            gatewayDevice: deviceKey(options.identity),
            registrationLimit: options.registrationLimit,
            registrationBackoffMs: options.registrationBackoffMs,
        });
        this.inventory = new Inventory({ clock, store: state, registration: this.registration });
        this.#gracefulReconnect = new GracefulReconnect({
            clock,
            pendingCount: () => connection.pendingCount,
            unansweredCount: () => this.registration.unansweredCount,
            reconnect: (reason) => connection.reconnect(reason),
        });
        this.#refusals = new RefusalHandler({
            clock,
            registration: this.registration,
            failed: (nodeId, error, message) => {
                if (!message.refusal?.willRetry) statistics.eventRefused();
                listeners.failedLater(nodeId, error, message);
            },
            unmatched: (error) => listeners.warn(error.message),
            counted: (device) => this.inventory.refusalSeen(device),
        });
        const refusals = this.#refusals;
        const gracefulReconnect = this.#gracefulReconnect;
        this.outbox = new Outbox({
            store: events,
            clock,
            limits: outboxLimits(options),
            gate,
            link: new EventSender({ clock, connection, statistics, gate, refusals, gracefulReconnect }),
            listener: {
                lateError: (error, event) => listeners.failedLater(event.message.nodeId, error, lateMessage(event)),
                dropped: (error, event, sinceLast) => {
                    listeners.failedLater(event.message.nodeId, error, lateMessage(event));
                    if (sinceLast > 1) listeners.warn(translate("gateway.oldestDropped", { count: sinceLast }));
                },
            },
        });
        this.#qos0Publisher = new Qos0Publisher(connection, this.outbox, this.registration, refusals);
    }

    /** The numbers of the gateway's state. */
    get state(): Pick<GatewayState, "queued" | "isBacklogged" | "drain" | "heldDevices"> {
        const { queued } = this.outbox.counters;
        const { ratePerSecond, secondsLeft } = this.outbox.progress();
        const isBacklogged = queued > this.#deps.options.maxInFlight;
        const isDraining = this.#isReady && isBacklogged && secondsLeft !== undefined;
        return {
            queued,
            isBacklogged,
            drain: isDraining ? { eventsPerS: ratePerSecond, remainingMs: secondsLeft * 1000 } : undefined,
            heldDevices: this.registration.heldCount,
        };
    }

    /** Takes an event that fits; what becomes of it is told once through the completion. */
    publish(request: EventRequest, topic: string, bytes: number, completion: CompletionCallbacks): void {
        const device = deviceKey(request.device);
        const { payload, qos, ttlMs, completionMode, messageId, nodeId, eventId } = request;
        const message = { messageId, nodeId, eventId };
        this.inventory.eventSeen(device, eventId);
        this.#deps.statistics.eventReceived();
        this.#deps.management().deviceUsed(device);
        if (qos === 0) {
            this.#qos0Publisher.send({ device, topic, payload, message }, this.#isReady, this.#counted(completion));
            return;
        }
        const hold = this.#deps.options.outbox === "off" ? this.#holdOf(device) : undefined;
        if (hold) {
            completion.failed(deviceHeldError(device, hold));
            return;
        }
        this.outbox.admit({ device, topic, payload, bytes, qos, ttlMs, completionMode, message }, completion);
        this.#deps.listeners.countsChanged();
    }

    /** Drops what waits for a device, as an operator wants it; resolves with the number of events. */
    async purge(device: string): Promise<number> {
        const { listeners } = this.#deps;
        try {
            const dropped = await this.outbox.purge(device);
            listeners.log(translate("gateway.purged", { device, count: dropped }));
            return dropped;
        } finally {
            listeners.countsChanged();
        }
    }

    /** The platform told that it refused something: whoever it concerns is told. Returns what a flow may get of it. */
    notificationReceived(topic: string, payload: Buffer): ReceivedNotification {
        return this.#refusals.received(topic, payload);
    }

    /** RefusalHandler can be received: events may go out. */
    linkUp(): void {
        this.#isReady = true;
        this.registration.connectionStarted();
        this.outbox.linkUp();
    }

    /** The connection ended. */
    linkDown(): void {
        if (!this.#isReady) return;
        this.#isReady = false;
        this.#gracefulReconnect.linkDown();
        this.outbox.linkDown();
        this.registration.connectionEnded();
    }

    /** Makes every event as safe as it can be made within the deadline. */
    async close(deadlineMs: number): Promise<void> {
        const unsafe = await this.outbox.close(deadlineMs);
        this.inventory.close();
        this.registration.close();
        if (unsafe > 0) this.#deps.listeners.warn(translate("gateway.lostOnClose", { count: unsafe }));
    }

    #counted(completion: CompletionCallbacks): CompletionCallbacks {
        const done = () => {
            this.#deps.statistics.eventHandedOver();
            completion.done();
        };
        return { done, failed: (error) => completion.failed(error) };
    }

    /** The hold of a device, unless it is over: then the next event is the probe. */
    #holdOf(device: string): Hold | undefined {
        const { phase, hold } = this.registration.stateOf(device);
        return phase === "held" && hold && hold.until > this.#deps.clock.now() ? hold : undefined;
    }

    #registrationRouter(gate: EventGate): RegistrationRouter {
        const { listeners, statistics, subscriptions, management } = this.#deps;
        return new RegistrationRouter(
            {
                event: gate,
                direct: {
                    wake: () => undefined,
                    confirm: (device) => this.#qos0Publisher.confirm(device),
                    requeue: (device) => this.#qos0Publisher.requeue(device),
                    drop: (device, error) => {
                        statistics.eventRefused();
                        this.#qos0Publisher.drop(device, error);
                    },
                },
                subscribe: madeLater(subscriptions),
                management: madeLater(() => management().registrationClient),
            },
            {
                recall: (device) => gate.recall(device),
                reconnectWanted: (reason) => this.#gracefulReconnect.begin(reason),
                deviceChanged: (device, state) => {
                    this.inventory.registrationChanged(device, state);
                    management().deviceChanged(device, state);
                    listeners.countsChanged();
                },
                unexplainedDrop: () => listeners.warn(translate("gateway.unexplainedDrop")),
            },
        );
    }
}

function outboxLimits(options: GatewayOptions): OutboxLimits {
    return {
        maxBytes: options.outboxMaxBytes,
        maxAgeMs: options.outboxMaxAgeMs,
        whenFull: options.outboxFull,
        maxRate: options.maxRate,
        maxInFlight: options.maxInFlight,
        acceptsOffline: options.outbox !== "off",
    };
}

function lateMessage(event: OutboxEvent): LateMessage {
    return { _msgid: event.message.messageId, ...parseDeviceKey(event.device), eventId: event.message.eventId };
}
