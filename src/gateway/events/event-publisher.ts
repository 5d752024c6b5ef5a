import type { GatewayConnection } from "../../connection/gateway-connection";
import type { SentPacket } from "../../connection/sent-packet";
import { Inventory } from "../../devices/inventory/inventory";
import type { Registration } from "../../devices/registration/registration";
import { GatewayError } from "../../errors";
import { shortened, translate } from "../../i18n";
import { type CompletionCallbacks, maxReturns, plainEncoding } from "../../outbox/event";
import { Outbox } from "../../outbox/outbox";
import type { OutboxLimits } from "../../outbox/outbox-limits";
import type { GatewayStore } from "../../outbox/store/open-store";
import { assertLevelsFit, type GatewayTopics } from "../../protocol/gateway-topics";
import { deviceKey } from "../../protocol/identity";
import { payloadBytes } from "../../protocol/payload";
import { assertFits } from "../../protocol/payload-limit";
import type { DeviceManagement } from "../device-management";
import type { GatewayListeners, LateMessage } from "../gateway-listeners";
import type { GatewayOptions } from "../gateway-options";
import type { GatewayState } from "../gateway-state";
import type { LinkControl } from "../link-control";
import type { Machine } from "../machine";
import type { GatewayStatistics } from "../monitor/gateway-statistics";
import type { ServerState } from "../server-state";
import type { SuspectSearch } from "../suspects/suspect-search";
import { deviceHeldError, unansweredError } from "./device-errors";
import type { EventRequest } from "./event-request";
import { GracefulEnd } from "./graceful-end";
import { OutboxPorts } from "./outbox-ports";
import { Qos0Publisher } from "./qos0-publisher";
import { type ReceivedNotification, RefusalHandler } from "./refusal-handler";
import { lateMessage, undeliveredMessage } from "./undelivered-message";

const maxTopicShown = 200;
/** From DISCONNECT to the end of the connection. */
const partingMs = 2_000;

/** Brings events from the nodes to the platform: through the outbox, past the registration of their devices. */
export class EventPublisher {
    readonly outbox: Outbox;
    readonly inventory: Inventory;
    readonly #refusals: RefusalHandler;
    readonly #gracefulEnd: GracefulEnd;
    readonly #deps: EventPublisherDeps;
    readonly #qos0Publisher: Qos0Publisher;
    /** Whether refusals can be received, so that events may be sent. */
    #isReady = false;

    constructor(deps: EventPublisherDeps) {
        const { options, machine, connection, control, registration, search, store, serverState, listeners, statistics, management } = deps;
        this.#deps = deps;
        const { clock } = machine;
        this.inventory = new Inventory({ clock, store: store.state, registration });
        this.#gracefulEnd = new GracefulEnd({
            clock,
            pendingCount: () => connection.pendingCount,
            unansweredCount: () => registration.stuckCount,
            reconnect: (reason) => connection.reconnect(reason),
            stop: () => void connection.stop(partingMs),
        });
        const gracefulEnd = this.#gracefulEnd;
        const failed = (nodeId: string, error: GatewayError, message: LateMessage) => {
            if (!message.refusal?.willRetry) statistics.eventRevoked();
            listeners.failedLater(nodeId, error, message);
        };
        this.#refusals = new RefusalHandler({
            clock,
            registration,
            failed,
            recall: (device) => ports.recall(device),
            unmatched: (error) => listeners.warn(error.message),
            counted: (device) => this.inventory.refusalSeen(device),
        });
        const refusals = this.#refusals;
        const suspectStruck = ({ name, bytes, qos }: SentPacket, count: number) => {
            listeners.warn(translate("gateway.suspectStruck", { topic: shortened(name, maxTopicShown), bytes, qos, count }));
        };
        const ports = new OutboxPorts({
            clock,
            connection,
            control,
            registration,
            statistics,
            refusals,
            gracefulEnd,
            search,
            suspectStruck,
        });
        this.outbox = new Outbox({
            store: store.events,
            storesEvents: store.storesEvents,
            clock,
            boot: machine.boot,
            limits: outboxLimits(options),
            gate: ports,
            link: ports,
            listener: {
                lateError: (error, event) => listeners.failedLater(event.message.nodeId, error, lateMessage(event)),
                undelivered: (event) => {
                    const message = { message: undeliveredMessage(event), returns: event.event.returns };
                    return listeners.handOver(event.event.message.nodeId, event.error, message);
                },
                returnedTooOften: ({ event }) => {
                    const { device, message } = event;
                    listeners.warn(translate("gateway.returnedTooOften", { eventId: message.eventId, device, count: maxReturns }));
                },
            },
        });
        this.#qos0Publisher = new Qos0Publisher({
            clock,
            connection,
            control,
            outbox: this.outbox,
            registration,
            refusals,
            search,
            statistics,
            suspectStruck,
        });
        registration.attach({
            reconnectWanted: (reason) => gracefulEnd.reconnect(reason),
            stateChanged: (device, registrationState) => {
                this.inventory.registrationChanged(device, registrationState);
                management.deviceChanged(device, registrationState);
                listeners.countsChanged();
            },
            unexplainedDrop: (strays) => refusals.unexplainedDrop(strays),
            cleared: (device) => refusals.cleared(device),
            recall: (device) => ports.recall(device),
            convicted: (device, heldUntil) => refusals.convicted(device, heldUntil),
            unanswered: (device) => listeners.registrationProblem(unansweredError(device)),
            signGiven: () => serverState.signGiven(),
            pingWanted: (answered) => connection.ping(answered),
        });
    }

    /** The state of an earlier run can be read, perhaps only now that the connection is there. */
    stateLoaded(): void {
        const { registration, serverState } = this.#deps;
        if (serverState.hasGivenSign) registration.restoreSign();
        this.inventory.load();
    }

    /** The numbers of the gateway's state. */
    get state(): Pick<
        GatewayState,
        "queued" | "waitingHigh" | "isBacklogged" | "drain" | "heldDevices" | "suspectedDevices" | "unansweredDevices"
    > {
        const { registration } = this.#deps;
        const { queued, high, unsentHigh } = this.outbox.counters;
        const { ratePerSecond, secondsLeft } = this.outbox.progress();
        const isBacklogged = queued > this.#deps.options.maxInFlight;
        const isSending = this.#isReady && !this.#deps.control.isPaused;
        const isDraining = isSending && isBacklogged && secondsLeft !== undefined;
        return {
            queued,
            waitingHigh: this.#isReady ? unsentHigh : high,
            isBacklogged,
            drain: isDraining ? { eventsPerS: ratePerSecond, remainingMs: secondsLeft * 1000 } : undefined,
            heldDevices: registration.heldCount,
            suspectedDevices: registration.suspectCount,
            unansweredDevices: registration.unansweredCount,
        };
    }

    /**
     * Publishes an event; the outcome is reported once through `completion`, possibly before this returns.
     * @throws GW_PAYLOAD_TOO_LARGE, GW_INVALID_ID
     */
    publish(request: EventRequest, completion: CompletionCallbacks): void {
        const { options, topics, statistics, management, listeners } = this.#deps;
        const { payload, qos, ttlMs, completionMode, priority, messageId, nodeId, eventId, returns } = request;
        const topic = topics.eventTopic(request.device, eventId, request.format);
        if (topics.areOwn) assertLevelsFit(topic);
        const bytes = payloadBytes(payload);
        assertFits(topic, bytes);
        const device = deviceKey(request.device);
        const message = { messageId, nodeId, eventId };
        this.inventory.eventSeen(device, eventId);
        statistics.eventReceived();
        management.deviceUsed(device);
        if (qos === 0) {
            const packet = { kind: "direct", name: topic, device, qos, bytes } as const;
            this.#qos0Publisher.send({ packet, payload, message }, this.#isReady, completion);
            return;
        }
        const rejection = options.outbox === "off" ? this.#rejectionWithoutOutbox(device) : undefined;
        if (rejection) {
            statistics.eventRejected();
            completion.failed(rejection);
            return;
        }
        // A flow may choose ids as long as it likes.
        const keptBytes = bytes + Buffer.byteLength(eventId) + Buffer.byteLength(messageId);
        const encoding = request.encoding ?? { ...plainEncoding, format: request.format };
        const isLatest = request.isLatest && options.outbox !== "off";
        this.outbox.admit(
            { device, topic, payload, bytes: keptBytes, qos, priority, isLatest, ttlMs, completionMode, message, encoding, returns },
            completion,
        );
        listeners.countsChanged();
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

    /** A notification arrived. Reports the refusal to the node that sent the event, and returns what a flow may get of it. */
    notificationReceived(topic: string, payload: Buffer): ReceivedNotification {
        return this.#refusals.received(topic, payload);
    }

    /** RefusalHandler can be received: events may go out. */
    linkUp(): void {
        this.#isReady = true;
        this.#deps.registration.connectionStarted();
        this.outbox.linkUp();
    }

    /** Sends nothing more, and closes the connection once what is in flight has been acknowledged. */
    endLink(): void {
        this.#gracefulEnd.stop();
    }

    /** From now on no event is sent; what is in flight may still be acknowledged. */
    pause(): void {
        this.#qos0Publisher.pause();
    }

    /** Events are sent again. */
    resume(): void {
        this.outbox.resume();
    }

    /** The connection ended. */
    linkDown(): void {
        if (!this.#isReady) return;
        this.#isReady = false;
        this.#gracefulEnd.linkDown();
        this.#qos0Publisher.linkDown();
        this.#deps.registration.connectionLost();
        this.#refusals.linkDown();
        this.outbox.linkDown();
        this.#deps.registration.connectionEnded();
    }

    /** Makes every event as safe as it can be made within the deadline. */
    async close(deadlineMs: number): Promise<void> {
        this.#refusals.keepNothing();
        const unsafe = await this.outbox.close(deadlineMs);
        this.inventory.close();
        this.#qos0Publisher.linkDown();
        this.#refusals.close();
        this.#deps.registration.close();
        if (unsafe > 0) this.#deps.listeners.warn(translate("gateway.lostOnClose", { count: unsafe }));
    }

    /** What cannot be sent now fails. The hold of a device that is over is none: then the next event is the probe. */
    #rejectionWithoutOutbox(device: string): GatewayError | undefined {
        if (this.#deps.control.isPaused) return new GatewayError("GW_NOT_CONNECTED", translate("gateway.offPaused"));
        const { phase, hold } = this.#deps.registration.stateOf(device);
        return phase === "held" && hold && hold.until > this.#deps.machine.clock.now() ? deviceHeldError(device, hold) : undefined;
    }
}

/** What event delivery works with. */
export interface EventPublisherDeps {
    readonly options: GatewayOptions;
    readonly machine: Pick<Machine, "clock" | "boot">;
    readonly topics: GatewayTopics;
    readonly connection: GatewayConnection;
    readonly control: Pick<LinkControl, "isPaused">;
    readonly registration: Registration;
    readonly search: SuspectSearch;
    readonly store: Pick<GatewayStore, "events" | "storesEvents" | "state">;
    readonly serverState: ServerState;
    readonly listeners: GatewayListeners;
    readonly statistics: GatewayStatistics;
    /** Device management, which wants to know which devices are there. */
    readonly management: Pick<DeviceManagement, "deviceUsed" | "deviceChanged">;
}

function outboxLimits(options: GatewayOptions): OutboxLimits {
    return {
        maxBytes: options.outboxMaxBytes,
        reservedShare: options.outboxReservedShare,
        maxAgeMs: options.outboxMaxAgeMs,
        maxKeptBytes: options.undeliveredMaxBytes,
        whenFull: options.outboxFull,
        maxRate: options.maxRate,
        maxInFlight: options.maxInFlight,
        acceptsOffline: options.outbox !== "off",
    };
}
