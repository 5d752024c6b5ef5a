import type { Clock } from "../clock";
import type { ConnectionState } from "../connection/gateway-connection";
import type { Inventory } from "../devices/inventory/inventory";
import { connectionStates, GatewayError, toGatewayError } from "../errors";
import { type TextKey, translate } from "../i18n";
import type { AttachedResponder } from "../management/management-engine";
import type { ResponderOptions } from "../management/responder";
import type { CompletionCallbacks } from "../outbox/event";
import type { GatewayTopics } from "../protocol/gateway-topics";
import type { IdParser } from "../protocol/id-parser";
import { deviceKey, type GatewayIdentity } from "../protocol/identity";
import { serverKey } from "./connection-settings";
import type { GatewayResponder } from "./device-management";
import type { EventRequest } from "./events/event-request";
import type { GatewayListener } from "./gateway-listeners";
import type { GatewayOptions } from "./gateway-options";
import { type GatewayDeps, GatewayParts } from "./gateway-parts";
import type { PooledGateway } from "./gateway-pool";
import type { GatewayState } from "./gateway-state";
import type { CommandSubscriber } from "./inbound/command";
import type { CommandSubscription } from "./inbound/command-router";
import type { Subscription } from "./inbound/message-router";
import type { NotificationListener } from "./inbound/notification-listeners";
import type { LinkAction } from "./link-control";
import type { GatewayActions } from "./monitor/gateway-actions";
import type { GatewayHealth } from "./monitor/gateway-health";
import type { GatewayMonitor } from "./monitor/gateway-monitor";
import type { SilentDevices } from "./monitor/silent-devices";
import type { SimulatorControl } from "./monitor/simulator-control";
import type { UndeliveredList } from "./monitor/undelivered-list";

export type { GatewayResponder } from "./device-management";
export type { GatewayListener } from "./gateway-listeners";
export type { Subscription } from "./inbound/message-router";

/** One gateway for all nodes that share it: a connection, an outbox, and the knowledge about the devices behind it. */
export class Gateway implements PooledGateway {
    readonly identity: GatewayIdentity;
    readonly topics: GatewayTopics;
    /** Reads the ids that flows give. */
    readonly ids: IdParser;
    /** What an operator sees. */
    readonly monitor: GatewayMonitor;
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
    readonly #options: GatewayOptions;
    readonly #clock: Clock;
    readonly #parts: GatewayParts;
    #onlineSince: number | undefined;
    /** Whether the parts use the present connection. */
    #isLinkUp = false;
    #isClosed = false;

    constructor(deps: GatewayDeps) {
        const { options, machine } = deps;
        const parts = new GatewayParts(deps, {
            state: () => this.state,
            connect: () => this.#connect(),
            storageChanged: (error) => this.#storageChanged(error),
        });
        this.#options = options;
        this.#clock = machine.clock;
        this.#parts = parts;
        this.identity = options.identity;
        this.topics = parts.topics;
        this.ids = parts.ids;
        this.monitor = parts.monitor;
        this.health = parts.health;
        this.silentDevices = parts.silentDevices;
        this.actions = parts.actions;
        this.undelivered = parts.undelivered;
        this.simulatorControl = parts.simulatorControl;
    }

    /** What can be said of the gateway right now. */
    get state(): GatewayState {
        return {
            connection: this.#parts.connection.state,
            ...this.#parts.control.condition,
            commands: this.#parts.commands.state,
            isSearching: this.#parts.search.isSearching,
            leftOut: this.#parts.search.leftOutCount,
            ...this.#parts.publisher.state,
            ...this.#parts.storage.condition,
        };
    }

    /** When the connection was established (wall clock, milliseconds); undefined while there is none. */
    get onlineSince(): number | undefined {
        return this.#onlineSince;
    }

    /** Adds a listener to states, errors and log lines. Returns a function that removes it. */
    listen(listener: GatewayListener): () => void {
        return this.#parts.listeners.add(listener);
    }

    /** Opens the outbox, and then the connection if it is wanted. */
    start(): void {
        this.monitor.start();
        this.#open().catch((thrown: unknown) => {
            this.#failed(thrown);
            this.#parts.control.close(toGatewayError(thrown, "GW_CONFIG"));
        });
    }

    /** Carries out what a flow asks of the link; `completion` is called once with the outcome, possibly before this returns. */
    controlLink(action: LinkAction, completion: CompletionCallbacks): void {
        if (this.#parts.control.request(action, completion)) this.#parts.listeners.log(translate(requestedByFlow[action]));
    }

    /** From now on commands wait, and filters stay as they are. */
    flowsStopping(): void {
        this.#parts.commands.pause();
        this.#parts.router.pause();
        this.#parts.subscriptions.pause();
        this.#parts.listeners.pause();
        this.#parts.publisher.outbox.flowsStopping();
        this.health.pause();
        this.silentDevices.pause();
    }

    /** Hands over what has waited, and brings the filters up to date. */
    flowsStarted(): void {
        this.#parts.search.flowsStarted();
        this.#parts.subscriptions.resume();
        this.#parts.commands.resume();
        this.#parts.router.resume();
        this.#parts.listeners.resume();
        this.#parts.publisher.outbox.flowsStarted();
        this.health.resume();
        this.silentDevices.resume();
    }

    /**
     * Publishes an event, by which its device is not silent; `completion` is called once with its outcome, possibly before this returns.
     * @throws GW_PAYLOAD_TOO_LARGE, GW_INVALID_ID
     */
    publishEvent(request: EventRequest, completion: CompletionCallbacks): void {
        this.#parts.publisher.publish(request, completion);
        if (this.silentDevices.isWatching) this.silentDevices.eventSeen(deviceKey(request.device));
    }

    /** Hands commands to a node until the subscription is closed. */
    onCommand(subscriber: CommandSubscriber): CommandSubscription {
        return this.#parts.commands.subscribe(subscriber);
    }

    /** Hands the platform's notifications to the listener until the subscription is closed. */
    onNotification(listener: NotificationListener): Subscription {
        return this.#parts.router.onNotification(listener);
    }

    /** What is known of each device. */
    get inventory(): Inventory {
        return this.#parts.publisher.inventory;
    }

    /** Hands device management requests to the responder, and takes its answers and requests, until it is closed. */
    respond(options: ResponderOptions, responder: GatewayResponder): Pick<AttachedResponder, "input"> & Subscription {
        const { input, detach } = this.#parts.management.attach(options, responder);
        return { input, close: detach };
    }

    /** Stores the events that are not safe yet and disconnects. Settles within the deadline, whatever the state of link and disk. */
    async close(deadlineMs: number): Promise<void> {
        this.#isClosed = true;
        this.monitor.close();
        this.health.pause();
        this.silentDevices.pause();
        this.#parts.notifications?.end();
        this.#parts.control.close(new GatewayError("GW_NOT_CONNECTED", translate("gateway.stopping")));
        this.#parts.commands.close();
        this.#parts.management.close();
        await this.#parts.publisher.close(deadlineMs / 3);
        await this.#parts.connection.stop(deadlineMs / 3);
        await this.#parts.storage.store.close(deadlineMs / 3);
        await this.#parts.simulator?.close();
        this.#parts.search.close();
        this.#parts.listeners.close();
    }

    async #open(): Promise<void> {
        await this.#parts.simulator?.open();
        if (this.#isClosed) return;
        if (this.#parts.storage.warning !== undefined) this.#parts.listeners.warn(this.#parts.storage.warning);
        // What the file knows of devices and filters decides what may be sent. One that cannot be opened yet holds up nothing.
        await this.#parts.storage.open();
        const loaded = this.#parts.storage.store.loaded.then(() => {
            this.#enterServer();
            this.#parts.publisher.stateLoaded();
            this.#parts.management.stateLoaded();
            this.#parts.subscriptions.journalLoaded();
            this.silentDevices.stateLoaded();
        });
        if (this.#parts.storage.condition.storeProblem === undefined) await loaded;
        else loaded.catch(this.#failed);
        if (this.#isClosed) return;
        if (!this.#options.autoConnect) this.#parts.listeners.log(translate("gateway.connectsOnRequest"));
        this.#parts.control.opened();
    }

    /** Says so when the events that wait were meant for another server. */
    #enterServer(): void {
        const previous = this.#parts.serverState.enter();
        if (previous === undefined) return;
        const { queued } = this.#parts.publisher.outbox.counters;
        this.#parts.listeners.log(translate("gateway.otherServer", { server: serverKey(this.#options), previous, count: queued }));
    }

    #connect(): void {
        const { outbox } = this.#parts.publisher;
        this.#parts.connection.start({
            stateChanged: (state) => this.#connectionChanged(state),
            messageReceived: (message, accepted) => this.#parts.router.received(message, accepted),
            strayPing: () => this.#parts.registration.strayPing(),
            drained: () => outbox.resume(),
        });
    }

    #connectionChanged(state: ConnectionState): void {
        this.#parts.notifications?.end();
        this.#parts.statistics.connectionChanged(state);
        this.#onlineSince = state.phase === "online" ? this.#clock.now() : undefined;
        if (state.phase === "online") this.#parts.certificates.connected(this.#parts.connection.certificates);
        else this.#parts.certificates.disconnected();
        if (state.phase === "online") this.#connected(state.sessionPresent);
        else this.#disconnected(state);
        this.#parts.listeners.stateChanged();
        this.#parts.control.connectionChanged(state);
    }

    #connected(sessionPresent: boolean): void {
        const { host, port, clientId } = this.#options;
        this.#parts.listeners.solved();
        this.#parts.listeners.log(translate("gateway.connected", { server: `${host}:${port}`, clientId }));
        this.#parts.management.online(sessionPresent);
        this.#parts.search.connected(this.#parts.connection);
        if (this.#parts.notifications)
            this.#parts.notifications.subscribe((rejection) => this.#notificationsAnswered(rejection, sessionPresent));
        else this.#linkUp(sessionPresent);
    }

    #disconnected(state: ConnectionState): void {
        this.#isLinkUp = false;
        this.#parts.subscriptions.linkDown();
        this.#parts.management.linkDown();
        this.#parts.publisher.linkDown();
        // What it was closed with may be the problem of the next connection as well.
        if (state.phase === "closed") this.#parts.listeners.solved();
        if (state.phase !== "waiting") return;
        const { code, text } = state.reason;
        this.#parts.listeners.problem(new GatewayError(code, text), connectionStates[code] ?? "network");
    }

    #notificationsAnswered(rejection: GatewayError | undefined, sessionPresent: boolean): void {
        if (rejection) this.#parts.listeners.warn(translate("gateway.refusalsUnknown", { reason: rejection.message }));
        this.#parts.router.notificationRejectionChanged(rejection);
        if (!this.#isLinkUp) this.#linkUp(sessionPresent);
    }

    #linkUp(sessionPresent: boolean): void {
        this.#isLinkUp = true;
        this.#parts.search.linkUp();
        this.#parts.publisher.linkUp();
        this.#parts.management.linkUp();
        this.#parts.subscriptions.linkUp(sessionPresent);
    }

    readonly #failed = (thrown: unknown): void => {
        this.#parts.listeners.problem(toGatewayError(thrown, "GW_CONFIG"), "config");
        this.#parts.listeners.stateChanged();
    };

    #storageChanged(error: GatewayError | undefined): void {
        if (error) this.#parts.listeners.storageProblem(error);
        else this.#parts.listeners.log(translate("gateway.storeRecovered"));
        this.#parts.listeners.stateChanged();
    }
}

const requestedByFlow = {
    connect: "gateway.connectByFlow",
    disconnect: "gateway.disconnectByFlow",
    pause: "gateway.pauseByFlow",
    resume: "gateway.resumeByFlow",
} as const satisfies Record<LinkAction, TextKey>;
