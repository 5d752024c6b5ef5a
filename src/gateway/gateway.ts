import type { Clock } from "../clock";
import { type ConnectionState, GatewayConnection } from "../connection/gateway-connection";
import { mqttTransportFactory } from "../connection/mqtt-transport";
import type { Inventory } from "../devices/inventory/inventory";
import { Registration } from "../devices/registration/registration";
import { connectionStates, GatewayError, toGatewayError } from "../errors";
import { shortened, type TextKey, translate } from "../i18n";
import type { AttachedResponder } from "../management/management-engine";
import type { ResponderOptions } from "../management/responder";
import type { CompletionCallbacks } from "../outbox/event";
import { deviceOfCommand, deviceOfFilter, type GatewayTopics, gatewayTopics } from "../protocol/gateway-topics";
import { IdParser } from "../protocol/id-parser";
import { deviceKey, type GatewayIdentity } from "../protocol/identity";
import { type ConnectionSettings, serverKey, transportOptions } from "./connection-settings";
import { DeviceManagement, type GatewayResponder } from "./device-management";
import { EmbeddedSimulator } from "./embedded-simulator";
import { EventPublisher } from "./events/event-publisher";
import type { EventRequest } from "./events/event-request";
import { type GatewayListener, GatewayListeners } from "./gateway-listeners";
import type { GatewayOptions } from "./gateway-options";
import type { PooledGateway } from "./gateway-pool";
import type { GatewayState } from "./gateway-state";
import { GatewayStorage } from "./gateway-storage";
import type { CommandSubscriber } from "./inbound/command";
import { CommandRouter, type CommandSubscription } from "./inbound/command-router";
import { MessageRouter, type Subscription } from "./inbound/message-router";
import type { NotificationListener } from "./inbound/notification-listeners";
import { type LinkAction, LinkControl } from "./link-control";
import type { Machine } from "./machine";
import { CertificateWatch } from "./monitor/certificate-watch";
import { GatewayActions } from "./monitor/gateway-actions";
import { GatewayHealth } from "./monitor/gateway-health";
import { GatewayMonitor } from "./monitor/gateway-monitor";
import { GatewayStatistics } from "./monitor/gateway-statistics";
import { SilentDevices } from "./monitor/silent-devices";
import { SimulatorControl } from "./monitor/simulator-control";
import { UndeliveredList } from "./monitor/undelivered-list";
import { ServerState } from "./server-state";
import { maximoFilterLimit } from "./subscriptions/maximo-limit";
import { NotificationFilter } from "./subscriptions/notification-filter";
import { SubscriptionManager } from "./subscriptions/subscription-manager";
import { SuspectSearch } from "./suspects/suspect-search";

export type { GatewayResponder } from "./device-management";
export type { GatewayListener } from "./gateway-listeners";
export type { Subscription } from "./inbound/message-router";

/** The length of a replaced id in the log. */
const maxShownCharacters = 60;

/** One gateway for all nodes that share it: a connection, an outbox, and the knowledge about the devices behind it. */
export class Gateway implements PooledGateway {
    readonly identity: GatewayIdentity;
    readonly topics: GatewayTopics;
    /** Reads the ids that flows give. */
    readonly ids: IdParser;
    readonly #options: GatewayOptions;
    readonly #clock: Clock;
    readonly #storage: GatewayStorage;
    readonly #serverState: ServerState;
    readonly #listeners: GatewayListeners;
    readonly #search: SuspectSearch;
    readonly #connection: GatewayConnection;
    readonly #control: LinkControl;
    readonly #registration: Registration;
    readonly #publisher: EventPublisher;
    readonly #subscriptions: SubscriptionManager;
    /** The notifications of the platform; a broker with topics of its own has none. */
    readonly #notifications: NotificationFilter | undefined;
    readonly #management: DeviceManagement;
    readonly #commands: CommandRouter;
    readonly #router: MessageRouter;
    readonly #statistics: GatewayStatistics;
    /** The built-in simulator, for a gateway on it. */
    readonly #simulator: EmbeddedSimulator | undefined;
    /** What an operator sees. */
    readonly monitor: GatewayMonitor;
    /** The gateway's health, for machines. */
    readonly #certificates: CertificateWatch;
    readonly health: GatewayHealth;
    /** Devices that do not send. */
    readonly silentDevices: SilentDevices;
    /** What an operator can do. */
    readonly actions: GatewayActions;
    /** What was not delivered and is kept. */
    readonly undelivered: UndeliveredList;
    /** The platform's side, for a gateway on the built-in simulator. */
    readonly simulatorControl: SimulatorControl | undefined;
    #onlineSince: number | undefined;
    /** Whether the parts use the present connection. */
    #isLinkUp = false;
    #isClosed = false;

    constructor({ options, token, tls, storageDirectory, machine }: GatewayDeps) {
        const { clock } = machine;
        this.identity = options.identity;
        this.#options = options;
        this.#clock = clock;
        this.#listeners = new GatewayListeners(clock, () => this.state);
        this.topics = gatewayTopics(options);
        this.ids = new IdParser(this.topics, options.idRule, (id, text) => this.#idReplaced(id, text));
        this.#statistics = new GatewayStatistics(clock);
        this.#storage = new GatewayStorage(options, storageDirectory, machine, {
            problemChanged: (error) => this.#storageChanged(error),
            warn: (text) => this.#listeners.warn(text),
        });
        this.#serverState = new ServerState(this.#storage.store.state, serverKey(options));
        this.#simulator = options.platform === "simulator" ? new EmbeddedSimulator(options.port) : undefined;
        this.#search = new SuspectSearch(
            clock,
            { holdMs: options.registrationBackoffMs },
            { resumed: () => this.#publisher.outbox.resume(), changed: () => this.#listeners.countsChanged() },
        );
        this.#connection = new GatewayConnection({
            clock,
            random: machine.random,
            transportFactory: mqttTransportFactory(machine.random, machine.openStream),
            judge: this.#search,
            maxBytesPerS: options.maxRateBytes,
            ...transportOptions({ options, token, tls }),
        });
        this.#control = new LinkControl({
            isWanted: options.autoConnect,
            connection: this.#connection,
            open: () => this.#connect(),
            end: () => this.#publisher.endLink(),
            paused: () => this.#publisher.pause(),
            resumed: () => this.#publisher.resume(),
            changed: () => {
                this.#statistics.conditionChanged(this.#control.condition);
                this.#listeners.stateChanged();
            },
        });
        this.#statistics.conditionChanged(this.#control.condition);
        this.#registration = new Registration({
            clock,
            gatewayDevice: deviceKey(options.identity),
            registrationLimit: options.registrationLimit,
            registrationBackoffMs: options.registrationBackoffMs,
            isRegistering: options.registration === "always",
        });
        this.#subscriptions = new SubscriptionManager({
            clock,
            connection: this.#connection,
            registration: this.#registration,
            search: this.#search,
            state: options.cleanSession ? undefined : this.#serverState,
            deviceOf: (filter) => deviceOfFilter(this.topics, filter),
            limit: options.platform === "maximo" ? maximoFilterLimit : undefined,
            granted: (filter) => this.#management.granted(filter),
            warn: (text) => this.#listeners.warn(text),
        });
        const { notifyTopic } = this.topics;
        const mayBeLeftOut = options.platform === "broker";
        const ofConnection = { connection: this.#connection, search: this.#search, mayBeLeftOut };
        this.#notifications = notifyTopic === undefined ? undefined : new NotificationFilter({ filter: notifyTopic, ...ofConnection });
        this.#management = new DeviceManagement({
            gateway: options.identity,
            ids: this.ids,
            machine,
            connection: this.#connection,
            registration: this.#registration,
            search: this.#search,
            subscriptions: this.#subscriptions,
            state: this.#storage.store.state,
        });
        this.#publisher = new EventPublisher({
            options,
            machine,
            topics: this.topics,
            connection: this.#connection,
            control: this.#control,
            registration: this.#registration,
            search: this.#search,
            store: this.#storage.store,
            serverState: this.#serverState,
            listeners: this.#listeners,
            statistics: this.#statistics,
            management: this.#management,
        });
        this.#commands = new CommandRouter({
            clock,
            topics: this.topics,
            ids: this.ids,
            connection: this.#connection,
            subscriptions: this.#subscriptions,
            publisher: this.#publisher,
            listener: {
                received: (command) => {
                    this.#statistics.commandReceived();
                    const device = deviceOfCommand(this.topics, command);
                    if (device !== undefined) this.inventory.commandSeen(device, command.commandId);
                },
                started: (command) => {
                    this.monitor.commandStarted(command);
                    this.#listeners.countsChanged();
                },
                ended: (command, outcome, tookMs) => {
                    this.monitor.commandEnded(command, outcome, tookMs);
                    if (tookMs !== undefined) this.#listeners.countsChanged();
                },
                countsChanged: () => this.#listeners.countsChanged(),
                warn: (text) => this.#listeners.warn(text),
            },
        });
        this.#router = new MessageRouter({
            topics: this.topics,
            publisher: this.#publisher,
            management: this.#management,
            commands: this.#commands,
            notificationReceived: (notification) => this.monitor.notified(notification),
        });
        this.silentDevices = new SilentDevices({ clock, inventory: this.inventory, gatewayDevice: deviceKey(options.identity) });
        this.#certificates = new CertificateWatch({ clock, warn: (text) => this.#listeners.warn(text) });
        this.health = new GatewayHealth({
            clock,
            statistics: this.#statistics,
            state: () => this.state,
            counters: () => this.#publisher.outbox.counters,
            certificate: () => this.#certificates.certificates[0],
        });
        this.monitor = new GatewayMonitor({
            search: this.#search,
            silentDevices: this.silentDevices,
            certificates: this.#certificates,
            health: this.health,
            clock,
            options,
            listeners: this.#listeners,
            statistics: this.#statistics,
            inventory: this.inventory,
            management: this.#management,
            state: () => this.state,
            counters: () => this.#publisher.outbox.counters,
            storage: this.#storage,
        });
        this.actions = new GatewayActions({
            search: this.#search,
            silentDevices: this.silentDevices,
            connection: this.#connection,
            control: this.#control,
            registration: this.#registration,
            inventory: this.inventory,
            management: this.#management,
            listeners: this.#listeners,
            purge: (device) => this.#publisher.purge(device),
        });
        this.undelivered = new UndeliveredList({
            kept: this.#publisher.outbox.kept,
            listeners: this.#listeners,
            received: () => this.#statistics.eventReceived(),
        });
        this.simulatorControl = this.#simulator && new SimulatorControl(options.identity, () => this.#simulator?.simulator);
    }

    /** What can be said of the gateway right now. */
    get state(): GatewayState {
        return {
            connection: this.#connection.state,
            ...this.#control.condition,
            commands: this.#commands.state,
            isSearching: this.#search.isSearching,
            leftOut: this.#search.leftOutCount,
            ...this.#publisher.state,
            ...this.#storage.condition,
        };
    }

    /** When the connection was established (wall clock, milliseconds); undefined while there is none. */
    get onlineSince(): number | undefined {
        return this.#onlineSince;
    }

    /** Adds a listener to states, errors and log lines. Returns a function that removes it. */
    listen(listener: GatewayListener): () => void {
        return this.#listeners.add(listener);
    }

    /** Opens the outbox, and then the connection if it is wanted. */
    start(): void {
        this.monitor.start();
        this.#open().catch((thrown: unknown) => {
            this.#failed(thrown);
            this.#control.close(toGatewayError(thrown, "GW_CONFIG"));
        });
    }

    /** Carries out what a flow asks of the link; `completion` is called once with the outcome, possibly before this returns. */
    controlLink(action: LinkAction, completion: CompletionCallbacks): void {
        if (this.#control.request(action, completion)) this.#listeners.log(translate(requestedByFlow[action]));
    }

    /** From now on commands wait, and filters stay as they are. */
    flowsStopping(): void {
        this.#commands.pause();
        this.#router.pause();
        this.#subscriptions.pause();
        this.#listeners.pause();
        this.#publisher.outbox.flowsStopping();
        this.health.pause();
        this.silentDevices.pause();
    }

    /** Hands over what has waited, and brings the filters up to date. */
    flowsStarted(): void {
        this.#search.flowsStarted();
        this.#subscriptions.resume();
        this.#commands.resume();
        this.#router.resume();
        this.#listeners.resume();
        this.#publisher.outbox.flowsStarted();
        this.health.resume();
        this.silentDevices.resume();
    }

    /**
     * Publishes an event, by which its device is not silent; `completion` is called once with its outcome, possibly before this returns.
     * @throws GW_PAYLOAD_TOO_LARGE, GW_INVALID_ID
     */
    publishEvent(request: EventRequest, completion: CompletionCallbacks): void {
        this.#publisher.publish(request, completion);
        if (this.silentDevices.isWatching) this.silentDevices.eventSeen(deviceKey(request.device));
    }

    /** Hands commands to a node until the subscription is closed. */
    onCommand(subscriber: CommandSubscriber): CommandSubscription {
        return this.#commands.subscribe(subscriber);
    }

    /** Hands the platform's notifications to the listener until the subscription is closed. */
    onNotification(listener: NotificationListener): Subscription {
        return this.#router.onNotification(listener);
    }

    /** What is known of each device. */
    get inventory(): Inventory {
        return this.#publisher.inventory;
    }

    /** Hands device management requests to the responder, and takes its answers and requests, until it is closed. */
    respond(options: ResponderOptions, responder: GatewayResponder): Pick<AttachedResponder, "input"> & Subscription {
        const { input, detach } = this.#management.attach(options, responder);
        return { input, close: detach };
    }

    /** Stores the events that are not safe yet and disconnects. Settles within the deadline, whatever the state of link and disk. */
    async close(deadlineMs: number): Promise<void> {
        this.#isClosed = true;
        this.monitor.close();
        this.health.pause();
        this.silentDevices.pause();
        this.#notifications?.end();
        this.#control.close(new GatewayError("GW_NOT_CONNECTED", translate("gateway.stopping")));
        this.#commands.close();
        this.#management.close();
        await this.#publisher.close(deadlineMs / 3);
        await this.#connection.stop(deadlineMs / 3);
        await this.#storage.store.close(deadlineMs / 3);
        await this.#simulator?.close();
        this.#search.close();
        this.#listeners.close();
    }

    async #open(): Promise<void> {
        await this.#simulator?.open();
        if (this.#isClosed) return;
        if (this.#storage.warning !== undefined) this.#listeners.warn(this.#storage.warning);
        // What the file knows of devices and filters decides what may be sent. One that cannot be opened yet holds up nothing.
        await this.#storage.open();
        const loaded = this.#storage.store.loaded.then(() => {
            this.#enterServer();
            this.#publisher.stateLoaded();
            this.#management.stateLoaded();
            this.#subscriptions.journalLoaded();
            this.silentDevices.stateLoaded();
        });
        if (this.#storage.condition.storeProblem === undefined) await loaded;
        else loaded.catch(this.#failed);
        if (this.#isClosed) return;
        if (!this.#options.autoConnect) this.#listeners.log(translate("gateway.connectsOnRequest"));
        this.#control.opened();
    }

    /** Says so when the events that wait were meant for another server. */
    #enterServer(): void {
        const previous = this.#serverState.enter();
        if (previous === undefined) return;
        const { queued } = this.#publisher.outbox.counters;
        this.#listeners.log(translate("gateway.otherServer", { server: serverKey(this.#options), previous, count: queued }));
    }

    #connect(): void {
        const { outbox } = this.#publisher;
        this.#connection.start({
            stateChanged: (state) => this.#connectionChanged(state),
            messageReceived: (message, accepted) => this.#router.received(message, accepted),
            strayPing: () => this.#registration.strayPing(),
            drained: () => outbox.resume(),
        });
    }

    #connectionChanged(state: ConnectionState): void {
        this.#notifications?.end();
        this.#statistics.connectionChanged(state);
        this.#onlineSince = state.phase === "online" ? this.#clock.now() : undefined;
        if (state.phase === "online") this.#certificates.connected(this.#connection.certificates);
        else this.#certificates.disconnected();
        if (state.phase === "online") this.#connected(state.sessionPresent);
        else this.#disconnected(state);
        this.#listeners.stateChanged();
        this.#control.connectionChanged(state);
    }

    #connected(sessionPresent: boolean): void {
        const { host, port, clientId } = this.#options;
        this.#listeners.solved();
        this.#listeners.log(translate("gateway.connected", { server: `${host}:${port}`, clientId }));
        this.#management.online(sessionPresent);
        this.#search.connected(this.#connection);
        if (this.#notifications) this.#notifications.subscribe((rejection) => this.#notificationsAnswered(rejection, sessionPresent));
        else this.#linkUp(sessionPresent);
    }

    #disconnected(state: ConnectionState): void {
        this.#isLinkUp = false;
        this.#subscriptions.linkDown();
        this.#management.linkDown();
        this.#publisher.linkDown();
        // What it was closed with may be the problem of the next connection as well.
        if (state.phase === "closed") this.#listeners.solved();
        if (state.phase !== "waiting") return;
        const { code, text } = state.reason;
        this.#listeners.problem(new GatewayError(code, text), connectionStates[code] ?? "network");
    }

    #notificationsAnswered(rejection: GatewayError | undefined, sessionPresent: boolean): void {
        if (rejection) this.#listeners.warn(translate("gateway.refusalsUnknown", { reason: rejection.message }));
        this.#router.notificationRejectionChanged(rejection);
        if (!this.#isLinkUp) this.#linkUp(sessionPresent);
    }

    #linkUp(sessionPresent: boolean): void {
        this.#isLinkUp = true;
        this.#search.linkUp();
        this.#publisher.linkUp();
        this.#management.linkUp();
        this.#subscriptions.linkUp(sessionPresent);
    }

    readonly #failed = (thrown: unknown): void => {
        this.#listeners.problem(toGatewayError(thrown, "GW_CONFIG"), "config");
        this.#listeners.stateChanged();
    };

    #idReplaced(id: string, text: string): void {
        this.#listeners.log(translate("gateway.idReplaced", { id, text: JSON.stringify(shortened(text, maxShownCharacters)) }));
    }

    #storageChanged(error: GatewayError | undefined): void {
        if (error) this.#listeners.storageProblem(error);
        else this.#listeners.log(translate("gateway.storeRecovered"));
        this.#listeners.stateChanged();
    }
}

const requestedByFlow = {
    connect: "gateway.connectByFlow",
    disconnect: "gateway.disconnectByFlow",
    pause: "gateway.pauseByFlow",
    resume: "gateway.resumeByFlow",
} as const satisfies Record<LinkAction, TextKey>;

/** What a gateway is made of. */
export interface GatewayDeps extends ConnectionSettings {
    /** Node-RED's user directory, below which the outbox files are; undefined = nothing is kept on disk. */
    readonly storageDirectory: string | undefined;
    readonly machine: Machine;
}
