import type { Clock } from "../clock";
import type { ConnectionReason } from "../connection/connect-error";
import { type ConnectionState, GatewayConnection } from "../connection/gateway-connection";
import type { ReceivedMessage } from "../connection/transport";
import type { Inventory } from "../devices/inventory";
import { describeThrown, GatewayError, toGatewayError } from "../errors";
import type { AttachedResponder } from "../management/management-engine";
import type { ResponderOptions } from "../management/responder";
import { deviceKey, type GatewayIdentity, mqttClientId, mqttUserName } from "../protocol/identity";
import { assertFits } from "../protocol/limits";
import { payloadBytes } from "../protocol/payload";
import type { Qos } from "../protocol/qos";
import { eventTopic, notifyTopic } from "../protocol/topic";
import { type DeviceList, type DeviceListQuery, listDevices } from "./device-listing";
import { EventDelivery } from "./event-delivery";
import type { EventRequest, Settlement } from "./event-request";
import { FilterSync, maximoFilterLimit, subscriptionRefusedError } from "./filter-sync";
import { GatewayHistory, type HistorySample } from "./gateway-history";
import { GatewayManagement, type GatewayResponder } from "./gateway-management";
import type { GatewayOptions } from "./gateway-options";
import { type GatewayOverview, gatewayOverview } from "./gateway-overview";
import type { PooledGateway } from "./gateway-pool";
import { type GatewayListener, GatewayReports, type PastProblem } from "./gateway-reports";
import type { GatewayState } from "./gateway-state";
import { GatewayStatistics } from "./gateway-statistics";
import { GatewayStorage } from "./gateway-storage";
import { HandOver } from "./hand-over";
import { type CommandSelection, Inbound, type ReceivedCommand } from "./inbound";
import { Notices } from "./notices";
import { type NotificationView, notificationView } from "./notification-view";
import { Recent } from "./recent";
import type { ReceivedNotification } from "./refusals";

export type { GatewayResponder } from "./gateway-management";
export type { GatewayListener } from "./gateway-reports";

/** What a gateway is made of. */
export interface GatewayParts {
    readonly options: GatewayOptions;
    /** The authentication token; empty = none, as with a client certificate. */
    readonly token: string;
    /** Options for Node's TLS. */
    readonly tls: Readonly<Record<string, unknown>>;
    /** Node-RED's user directory, below which the outbox files are; undefined = nothing is kept on disk. */
    readonly userDir: string | undefined;
    readonly clock: Clock;
}

/** Something that lasts until it is closed. Closing it twice changes nothing. */
export interface Subscription {
    close(): void;
}

/** Who takes commands. Nothing of this may throw. */
export interface CommandListener {
    received(command: ReceivedCommand): void;
    /** The platform refused the subscription; undefined = it grants it now. */
    refusalChanged(error: GatewayError | undefined): void;
}

/** One gateway: a connection, an outbox, and what is known of the devices behind it, for all nodes that share it. */
export class Gateway implements PooledGateway {
    readonly identity: GatewayIdentity;
    readonly #clock: Clock;
    readonly #options: GatewayOptions;
    readonly #storage: GatewayStorage;
    readonly #reports: GatewayReports;
    readonly #connection: GatewayConnection;
    readonly #delivery: EventDelivery;
    readonly #filters: FilterSync;
    readonly #management: GatewayManagement;
    readonly #inbound: Inbound;
    readonly #handOver: HandOver;
    readonly #notices = new Notices();
    readonly #statistics: GatewayStatistics;
    readonly #history: GatewayHistory;
    /** The notifications that came last. */
    readonly recentNotifications = new Recent<NotificationView>(recentCount);
    /** Ends the share in the built-in simulator. */
    #releaseSimulator: () => Promise<void> = () => Promise.resolve();
    /** When the connection came about (wall clock, milliseconds); undefined while there is none. */
    onlineSince: number | undefined;
    /** Counts connections, so that what one of them started late does not act on the next. */
    #connectionNumber = 0;
    #isClosed = false;

    constructor({ options, token, tls, userDir, clock }: GatewayParts) {
        this.identity = options.identity;
        this.#clock = clock;
        this.#options = options;
        this.#reports = new GatewayReports(clock, () => this.state);
        this.#statistics = new GatewayStatistics(clock);
        this.#history = new GatewayHistory(clock, () => this.#sample());
        this.#storage = new GatewayStorage(options, userDir, clock, { problemChanged: (error) => this.#storageChanged(error) });
        const { host, port, transport, path, keepAliveS, cleanSession } = options;
        this.#connection = new GatewayConnection(
            {
                clock,
                host,
                port,
                transport,
                path,
                tls,
                clientId: mqttClientId(options.identity),
                ...(token === "" ? {} : { userName: mqttUserName, password: token }),
                keepAliveS,
                cleanSession,
                will: lastWill(options),
            },
            {
                stateChanged: (state) => this.#connectionChanged(state),
                messageReceived: (message, accepted) => this.#messageReceived(message, accepted),
                strayPing: () => this.#delivery.registration.strayPing(),
                drained: () => this.#delivery.outbox.resume(),
            },
        );
        this.#handOver = new HandOver(clock, () => this.#connection.reconnect(heldTooLong));
        this.#delivery = new EventDelivery({
            options,
            clock,
            connection: this.#connection,
            events: this.#storage.store.events,
            state: this.#storage.store.state,
            reports: this.#reports,
            statistics: this.#statistics,
            filters: () => this.#filters,
            management: () => this.#management,
        });
        this.#filters = new FilterSync({
            connection: this.#connection,
            registration: this.#delivery.registration,
            state: cleanSession ? undefined : this.#storage.store.state,
            limit: options.platform === "maximo" ? maximoFilterLimit : undefined,
            granted: (filter) => this.#management.granted(filter),
            warn: (text) => this.#reports.warn(text),
        });
        this.#management = new GatewayManagement({
            gateway: options.identity,
            clock,
            connection: this.#connection,
            registration: this.#delivery.registration,
            filters: this.#filters,
            state: this.#storage.store.state,
        });
        this.#inbound = new Inbound(options.identity, {
            notification: (topic, payload) => this.#notified(this.#delivery.notificationReceived(topic, payload)),
            management: ({ topic, payload }, isReplayed) => this.#management.received(topic, payload, isReplayed),
            commandSeen: (command) => {
                this.#statistics.commandReceived();
                this.inventory.commandSeen(deviceKey(command), command.commandId);
            },
        });
    }

    /** What can be said of the gateway right now. */
    get state(): GatewayState {
        return { connection: this.#connection.state, ...this.#delivery.state, ...this.#storage.condition };
    }

    /** Everything that can be said of the gateway in numbers and words, for an operator. */
    get overview(): GatewayOverview {
        const { counters } = this.#delivery.outbox;
        return gatewayOverview({
            options: this.#options,
            state: this.state,
            since: this.#statistics.since,
            counters,
            totals: this.#statistics.totals(counters.acknowledged),
            rememberedDevices: this.inventory.size,
        });
    }

    /** The problems that the gateway had last. */
    get recentProblems(): readonly PastProblem[] {
        return this.#reports.recentProblems.items;
    }

    /** A page of the devices behind the gateway. */
    devices(query: DeviceListQuery): DeviceList {
        return listDevices(this.inventory, () => undefined, query);
    }

    /** At most the last hour, the oldest sample first. */
    get history(): readonly HistorySample[] {
        return this.#history.items;
    }

    /** Adds a listener to states, errors and log lines; returns what takes it out again. */
    listen(listener: GatewayListener): () => void {
        return this.#reports.add(listener);
    }

    /** Opens the connection. */
    start(): void {
        this.#history.start();
        this.#open().catch((thrown: unknown) => {
            this.#reports.problem(toGatewayError(thrown, "GW_CONFIG"), "config");
            this.#reports.stateChanged();
        });
    }

    /** From now on commands wait, and filters stay as they are. */
    flowsStopping(): void {
        this.#handOver.hold();
        this.#notices.hold();
        this.#filters.hold();
        this.#reports.hold();
    }

    /** Hands over what has waited, and brings the filters up to date. */
    flowsStarted(): void {
        this.#filters.release();
        this.#handOver.release();
        this.#notices.release();
        this.#reports.release();
    }

    /**
     * Publishes an event; `settlement` is told once what became of it, possibly before this returns.
     * @throws GW_PAYLOAD_TOO_LARGE
     */
    publishEvent(request: EventRequest, settlement: Settlement): void {
        const topic = eventTopic(request.device, request.eventId, request.format);
        const bytes = payloadBytes(request.payload);
        assertFits(topic, bytes);
        this.#delivery.publish(request, topic, bytes, settlement);
    }

    /** Hands commands to the listener until the subscription is closed. */
    onCommand(selection: CommandSelection, qos: Qos, listener: CommandListener): Subscription {
        const filter = this.#inbound.filterOf(selection);
        const user = {
            refusalChanged: (error: GatewayError | undefined) => listener.refusalChanged(error && subscriptionRefusedError(filter, error)),
        };
        const takeOut = this.#inbound.add({ selection, received: (command) => listener.received(command) });
        this.#filters.add(filter, qos, user);
        return {
            close: () => {
                takeOut();
                this.#filters.remove(filter, user);
            },
        };
    }

    /** Hands the platform's notifications to the listener until the subscription is closed. The listener must not throw. */
    onNotification(listener: (notification: ReceivedNotification) => void): Subscription {
        return { close: this.#notices.add(listener) };
    }

    /** What is known of each device. */
    get inventory(): Inventory {
        return this.#delivery.inventory;
    }

    /** Hands device management requests to the responder, and takes its answers and requests, until it is closed. */
    respond(options: ResponderOptions, responder: GatewayResponder): Pick<AttachedResponder, "input"> & Subscription {
        const { input, detach } = this.#management.attach(options, responder);
        return { input, close: detach };
    }

    /** Stores what is not safe yet and disconnects. Settles within the deadline, whatever the state of link and disk. */
    async close(deadlineMs: number): Promise<void> {
        this.#isClosed = true;
        this.#history.close();
        this.#connectionNumber += 1;
        this.#handOver.discard();
        this.#management.close();
        await this.#delivery.close(deadlineMs / 3);
        await this.#connection.stop(deadlineMs / 3);
        await this.#storage.store.close(deadlineMs / 3);
        await this.#releaseSimulator();
        this.#reports.close();
    }

    async #open(): Promise<void> {
        if (this.#options.platform === "simulator") {
            const { acquireSimulator } = await import("../simulator/shared.js");
            const lease = await acquireSimulator(this.#options.port);
            this.#releaseSimulator = () => lease.release();
            if (this.#isClosed) {
                await lease.release();
                return;
            }
        }
        if (this.#storage.warning !== undefined) this.#reports.warn(this.#storage.warning);
        // What the file knows of devices and filters decides what may be sent.
        await this.#storage.open();
        this.inventory.load();
        if (!this.#isClosed) this.#connection.start();
    }

    #storageChanged(error: GatewayError | undefined): void {
        if (error) this.#reports.storageProblem(error);
        else this.#reports.log("The outbox file can be used again.");
        this.#reports.stateChanged();
    }

    #connectionChanged(state: ConnectionState): void {
        this.#connectionNumber += 1;
        this.#statistics.connectionChanged(state);
        this.onlineSince = state.phase === "online" ? this.#clock.now() : undefined;
        if (state.phase === "online") {
            this.#reports.solved();
            this.#reports.log(`Connected to ${this.#options.host}:${this.#options.port} as ${mqttClientId(this.identity)}.`);
            this.#management.online(state.sessionPresent);
            void this.#connected(this.#connectionNumber, state.sessionPresent);
        } else {
            this.#handOver.discard();
            this.#filters.linkDown();
            this.#management.linkDown();
            this.#delivery.linkDown();
            if (state.phase === "waiting")
                this.#reports.problem(new GatewayError(state.reason.code, state.reason.text), stateNames[state.reason.code] ?? "network");
        }
        this.#reports.stateChanged();
    }

    /** A refused event is acknowledged like any other: nothing is sent before the notifications can be received. */
    async #connected(connectionNumber: number, sessionPresent: boolean): Promise<void> {
        try {
            await this.#connection.subscribe(notifyTopic(this.identity), 0, subscribeDeadlineMs);
        } catch (thrown) {
            if (connectionNumber !== this.#connectionNumber) return;
            this.#reports.warn(`Refusals will not be known on this connection: ${describeThrown(thrown)}`);
        }
        if (connectionNumber !== this.#connectionNumber) return;
        this.#delivery.linkUp();
        this.#management.linkUp();
        this.#filters.linkUp(sessionPresent);
    }

    #notified(received: ReceivedNotification): void {
        this.#statistics.notificationReceived(received.notification.fields);
        this.recentNotifications.add(notificationView(received, this.#clock.now()));
        this.#notices.pass(received);
    }

    #sample(): HistorySample {
        const { queued, acknowledged } = this.#delivery.outbox.counters;
        const { eventsAccepted, eventsPublished } = this.#statistics.totals(acknowledged);
        return { at: this.#clock.now(), isOnline: this.#connection.isOnline, queued, eventsAccepted, eventsPublished };
    }

    #messageReceived(message: ReceivedMessage, accepted: () => void): void {
        const { isReplaying } = this.#management;
        const pass = () => {
            this.#inbound.received(message, isReplaying);
            accepted();
        };
        if (this.#inbound.isForFlows(message.topic)) this.#handOver.pass(pass);
        else pass();
    }
}

/** How long the first subscription may take; until it is answered no event goes out. */
const subscribeDeadlineMs = 30_000;
const recentCount = 50;

const heldTooLong: ConnectionReason = {
    code: "GW_STALLED",
    text: "A command waited 30 s for the flows to start; the connection is opened anew, so that the platform keeps it until then.",
};

/** The names of the gateway's troubles, as `msg.state` has them behind a Catch node. */
const stateNames: Partial<Record<GatewayError["code"], string>> = {
    GW_AUTH: "not-authorised",
    GW_TLS: "tls",
    GW_NETWORK: "network",
    GW_TAKEN_OVER: "taken-over",
    GW_STALLED: "stalled",
};

function lastWill({ identity, willEventId }: GatewayOptions) {
    if (willEventId === undefined) return undefined;
    return { topic: eventTopic(identity, willEventId, "text"), payload: "offline", qos: 1 } as const;
}
