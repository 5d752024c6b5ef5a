import { GatewayConnection } from "../connection/gateway-connection";
import { mqttTransportFactory } from "../connection/mqtt-transport";
import { Registration } from "../devices/registration/registration";
import type { GatewayError } from "../errors";
import { shortened, translate } from "../i18n";
import { deviceOfCommand, deviceOfFilter, type GatewayTopics, gatewayTopics } from "../protocol/gateway-topics";
import { IdParser } from "../protocol/id-parser";
import { deviceKey } from "../protocol/identity";
import { type ConnectionSettings, serverKey, transportOptions } from "./connection-settings";
import { DeviceManagement } from "./device-management";
import { EmbeddedSimulator } from "./embedded-simulator";
import { EventPublisher } from "./events/event-publisher";
import { GatewayListeners } from "./gateway-listeners";
import type { GatewayState } from "./gateway-state";
import { GatewayStorage } from "./gateway-storage";
import { CommandRouter } from "./inbound/command-router";
import { MessageRouter } from "./inbound/message-router";
import { LinkControl } from "./link-control";
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

/** The length of a replaced id in the log. */
const maxShownCharacters = 60;

/** The parts of one gateway, each made once and connected to the others. What they do together is in `Gateway`. */
export class GatewayParts {
    readonly topics: GatewayTopics;
    /** Reads the ids that flows give. */
    readonly ids: IdParser;
    readonly storage: GatewayStorage;
    readonly serverState: ServerState;
    readonly listeners: GatewayListeners;
    readonly search: SuspectSearch;
    readonly connection: GatewayConnection;
    readonly control: LinkControl;
    readonly registration: Registration;
    readonly publisher: EventPublisher;
    readonly subscriptions: SubscriptionManager;
    /** The notifications of the platform; a broker with topics of its own has none. */
    readonly notifications: NotificationFilter | undefined;
    readonly management: DeviceManagement;
    readonly commands: CommandRouter;
    readonly router: MessageRouter;
    readonly statistics: GatewayStatistics;
    /** The built-in simulator, for a gateway on it. */
    readonly simulator: EmbeddedSimulator | undefined;
    /** What an operator sees. */
    readonly monitor: GatewayMonitor;
    /** Until when the certificates of the connection are valid. */
    readonly certificates: CertificateWatch;
    /** The gateway's health, for machines. */
    readonly health: GatewayHealth;
    /** Devices that do not send. */
    readonly silentDevices: SilentDevices;
    /** What an operator can do. */
    readonly actions: GatewayActions;
    /** What was not delivered and is kept. */
    readonly undelivered: UndeliveredList;
    /** The platform's side, for a gateway on the built-in simulator. */
    readonly simulatorControl: SimulatorControl | undefined;

    constructor({ options, token, tls, storageDirectory, machine }: GatewayDeps, owner: PartsOwner) {
        const { clock } = machine;
        this.listeners = new GatewayListeners(clock, () => owner.state());
        this.topics = gatewayTopics(options);
        this.ids = new IdParser(this.topics, options.idRule, (id, text) => this.#idReplaced(id, text));
        this.statistics = new GatewayStatistics(clock);
        this.storage = new GatewayStorage(options, storageDirectory, machine, {
            problemChanged: (error) => owner.storageChanged(error),
            warn: (text) => this.listeners.warn(text),
        });
        this.serverState = new ServerState(this.storage.store.state, serverKey(options));
        this.simulator = options.platform === "simulator" ? new EmbeddedSimulator(options.port) : undefined;
        this.search = new SuspectSearch(
            clock,
            { holdMs: options.registrationBackoffMs },
            { resumed: () => this.publisher.outbox.resume(), changed: () => this.listeners.countsChanged() },
        );
        this.connection = new GatewayConnection({
            clock,
            random: machine.random,
            transportFactory: mqttTransportFactory(machine.random, machine.openStream),
            judge: this.search,
            maxBytesPerS: options.maxRateBytes,
            ...transportOptions({ options, token, tls }),
        });
        this.control = new LinkControl({
            isWanted: options.autoConnect,
            connection: this.connection,
            open: () => owner.connect(),
            end: () => this.publisher.endLink(),
            paused: () => this.publisher.pause(),
            resumed: () => this.publisher.resume(),
            changed: () => {
                this.statistics.conditionChanged(this.control.condition);
                this.listeners.stateChanged();
            },
        });
        this.statistics.conditionChanged(this.control.condition);
        this.registration = new Registration({
            clock,
            gatewayDevice: deviceKey(options.identity),
            registrationLimit: options.registrationLimit,
            registrationBackoffMs: options.registrationBackoffMs,
            isRegistering: options.registration === "always",
        });
        this.subscriptions = new SubscriptionManager({
            clock,
            connection: this.connection,
            registration: this.registration,
            search: this.search,
            state: options.cleanSession ? undefined : this.serverState,
            deviceOf: (filter) => deviceOfFilter(this.topics, filter),
            limit: options.platform === "maximo" ? maximoFilterLimit : undefined,
            granted: (filter) => this.management.granted(filter),
            warn: (text) => this.listeners.warn(text),
        });
        const { notifyTopic } = this.topics;
        const mayBeLeftOut = options.platform === "broker";
        const ofConnection = { connection: this.connection, search: this.search, mayBeLeftOut };
        this.notifications = notifyTopic === undefined ? undefined : new NotificationFilter({ filter: notifyTopic, ...ofConnection });
        this.management = new DeviceManagement({
            gateway: options.identity,
            ids: this.ids,
            machine,
            connection: this.connection,
            registration: this.registration,
            search: this.search,
            subscriptions: this.subscriptions,
            state: this.storage.store.state,
        });
        this.publisher = new EventPublisher({
            options,
            machine,
            topics: this.topics,
            connection: this.connection,
            control: this.control,
            registration: this.registration,
            search: this.search,
            store: this.storage.store,
            serverState: this.serverState,
            listeners: this.listeners,
            statistics: this.statistics,
            management: this.management,
        });
        this.commands = new CommandRouter({
            clock,
            random: machine.random,
            topics: this.topics,
            ids: this.ids,
            connection: this.connection,
            subscriptions: this.subscriptions,
            publisher: this.publisher,
            listener: {
                received: (command) => {
                    this.statistics.commandReceived();
                    const device = deviceOfCommand(this.topics, command);
                    if (device !== undefined) this.publisher.inventory.commandSeen(device, command.commandId);
                },
                started: (command) => {
                    this.monitor.commandStarted(command);
                    this.listeners.countsChanged();
                },
                ended: (command, outcome, tookMs) => {
                    this.monitor.commandEnded(command, outcome, tookMs);
                    if (tookMs !== undefined) this.listeners.countsChanged();
                },
                countsChanged: () => this.listeners.countsChanged(),
                warn: (text) => this.listeners.warn(text),
            },
        });
        this.router = new MessageRouter({
            topics: this.topics,
            publisher: this.publisher,
            management: this.management,
            commands: this.commands,
            notificationReceived: (notification) => this.monitor.notified(notification),
        });
        this.silentDevices = new SilentDevices({ clock, inventory: this.publisher.inventory, gatewayDevice: deviceKey(options.identity) });
        this.certificates = new CertificateWatch({ clock, warn: (text) => this.listeners.warn(text) });
        this.health = new GatewayHealth({
            clock,
            statistics: this.statistics,
            state: () => owner.state(),
            counters: () => this.publisher.outbox.counters,
            certificate: () => this.certificates.certificates[0],
        });
        this.monitor = new GatewayMonitor({
            search: this.search,
            silentDevices: this.silentDevices,
            certificates: this.certificates,
            health: this.health,
            clock,
            options,
            listeners: this.listeners,
            statistics: this.statistics,
            inventory: this.publisher.inventory,
            management: this.management,
            state: () => owner.state(),
            counters: () => this.publisher.outbox.counters,
            storage: this.storage,
        });
        this.actions = new GatewayActions({
            search: this.search,
            silentDevices: this.silentDevices,
            connection: this.connection,
            control: this.control,
            registration: this.registration,
            inventory: this.publisher.inventory,
            management: this.management,
            listeners: this.listeners,
            purge: (device) => this.publisher.purge(device),
        });
        this.undelivered = new UndeliveredList({
            kept: this.publisher.outbox.kept,
            listeners: this.listeners,
            received: () => this.statistics.eventReceived(),
        });
        this.simulatorControl = this.simulator && new SimulatorControl(options.identity, () => this.simulator?.simulator);
    }

    #idReplaced(id: string, text: string): void {
        this.listeners.log(translate("gateway.idReplaced", { id, text: JSON.stringify(shortened(text, maxShownCharacters)) }));
    }
}

/** What a gateway is made of. */
export interface GatewayDeps extends ConnectionSettings {
    /** Node-RED's user directory, below which the outbox files are; undefined = nothing is kept on disk. */
    readonly storageDirectory: string | undefined;
    readonly machine: Machine;
}

/** What the parts ask of the gateway that they make up. */
interface PartsOwner {
    state(): GatewayState;
    /** Opens the connection. */
    connect(): void;
    /** The outbox file cannot be used (`error`), or can be used again (undefined). */
    storageChanged(error: GatewayError | undefined): void;
}
