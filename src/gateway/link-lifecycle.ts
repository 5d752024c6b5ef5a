import type { Clock } from "../clock";
import type { ConnectionState, GatewayConnection } from "../connection/gateway-connection";
import { connectionStates, GatewayError, toGatewayError } from "../errors";
import { translate } from "../i18n";
import { mqttClientId } from "../protocol/identity";
import { notifyTopic } from "../protocol/topic";
import type { DeviceManagement } from "./device-management";
import type { EventPublisher } from "./events/event-publisher";
import type { GatewayListeners } from "./gateway-listeners";
import type { GatewayOptions } from "./gateway-options";
import type { MessageRouter } from "./inbound/message-router";
import type { GatewayStatistics } from "./monitor/gateway-statistics";
import { type SubscriptionManager, subscriptionRejectedError } from "./subscriptions/subscription-manager";

/** Everything that begins and ends with a connection. */
export interface LinkLifecycleDeps {
    readonly clock: Clock;
    readonly options: GatewayOptions;
    readonly connection: GatewayConnection;
    readonly listeners: GatewayListeners;
    readonly statistics: GatewayStatistics;
    readonly router: MessageRouter;
    readonly publisher: EventPublisher;
    readonly subscriptions: SubscriptionManager;
    readonly management: DeviceManagement;
}

/** How long the first subscription may take; until it is answered no event goes out. */
const subscribeDeadlineMs = 30_000;

/** Tells each part of a gateway, in the right order, that a connection has come about or ended. */
export class LinkLifecycle {
    readonly #deps: LinkLifecycleDeps;
    /** Counts connections, so that what one of them started late does not act on the next. */
    #connectionNumber = 0;
    #onlineSince: number | undefined;

    constructor(deps: LinkLifecycleDeps) {
        this.#deps = deps;
    }

    /** When the connection came about (wall clock, milliseconds); undefined while there is none. */
    get onlineSince(): number | undefined {
        return this.#onlineSince;
    }

    /** The state of the connection changed. */
    changed(state: ConnectionState): void {
        const { clock, options, listeners, statistics, router, publisher, subscriptions, management } = this.#deps;
        this.#connectionNumber += 1;
        statistics.connectionChanged(state);
        this.#onlineSince = state.phase === "online" ? clock.now() : undefined;
        if (state.phase === "online") {
            listeners.solved();
            listeners.log(
                translate("gateway.connected", { server: `${options.host}:${options.port}`, clientId: mqttClientId(options.identity) }),
            );
            management.online(state.sessionPresent);
            void this.#connected(this.#connectionNumber, state.sessionPresent);
        } else {
            router.discard();
            subscriptions.linkDown();
            management.linkDown();
            publisher.linkDown();
            if (state.phase === "waiting")
                listeners.problem(new GatewayError(state.reason.code, state.reason.text), connectionStates[state.reason.code] ?? "network");
        }
        listeners.stateChanged();
    }

    /** The gateway closes: a subscription that is answered from now on starts nothing. */
    close(): void {
        this.#connectionNumber += 1;
    }

    /** A refused event is acknowledged like any other: nothing is sent before the notifications can be received. Protocol, section Events. */
    async #connected(connectionNumber: number, sessionPresent: boolean): Promise<void> {
        const { options, connection, listeners, router, publisher, subscriptions, management } = this.#deps;
        const filter = notifyTopic(options.identity);
        let refusal: GatewayError | undefined;
        try {
            await connection.subscribe(filter, 0, subscribeDeadlineMs);
        } catch (thrown) {
            refusal = subscriptionRejectedError(filter, toGatewayError(thrown, "GW_SUBSCRIBE_REFUSED"));
        }
        if (connectionNumber !== this.#connectionNumber) return;
        if (refusal) listeners.warn(translate("gateway.refusalsUnknown", { reason: refusal.message }));
        router.notificationRejectionChanged(refusal);
        publisher.linkUp();
        management.linkUp();
        subscriptions.linkUp(sessionPresent);
    }
}
