import type { Clock } from "../../clock";
import type { ConnectionReason } from "../../connection/reason";
import type { ReceivedMessage } from "../../connection/transport";
import type { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { GatewayIdentity } from "../../protocol/identity";
import type { Qos } from "../../protocol/qos";
import type { ReceivedNotification } from "../events/refusal-handler";
import { type SubscriptionManager, subscriptionRejectedError } from "../subscriptions/subscription-manager";
import { type CommandSelection, type InboundListener, InboundRoutes, type ReceivedCommand } from "./inbound-routes";
import { type NotificationListener, NotificationListeners } from "./notification-listeners";
import { PausableDelivery } from "./pausable-delivery";

/** Who takes commands. Nothing of this may throw. */
export interface CommandListener {
    received(command: ReceivedCommand): void;
    /** The platform refused the subscription; undefined = it grants it now. */
    rejectionChanged(error: GatewayError | undefined): void;
}

/** What reception works with. */
export interface MessageRouterDeps {
    readonly clock: Clock;
    readonly identity: GatewayIdentity;
    readonly subscriptions: SubscriptionManager;
    /** Where messages go that are no commands, and where commands are counted. */
    readonly listener: Omit<InboundListener, "notification"> & {
        /** Makes of a notification what flows may get. */
        notification(topic: string, payload: Buffer): ReceivedNotification;
    };
    /** Whether what arrives now was queued while the gateway was away. */
    isReplaying(): boolean;
    /** Opens the connection anew. */
    reconnect(reason: ConnectionReason): void;
}

/** Brings what the platform sends to the flows; while they stop and start, it waits. */
export class MessageRouter {
    readonly #deps: MessageRouterDeps;
    readonly #routes: InboundRoutes;
    readonly #delivery: PausableDelivery;
    readonly #notifications = new NotificationListeners();

    constructor(deps: MessageRouterDeps) {
        const { clock, identity, listener, reconnect } = deps;
        this.#deps = deps;
        this.#delivery = new PausableDelivery(clock, () => reconnect(pausedTooLong()));
        this.#routes = new InboundRoutes(identity, {
            ...listener,
            notification: (topic, payload) => this.#notifications.pass(listener.notification(topic, payload)),
        });
    }

    /** Hands commands to the listener until the subscription is closed. */
    onCommand(selection: CommandSelection, qos: Qos, listener: CommandListener): Subscription {
        const { subscriptions } = this.#deps;
        const filter = this.#routes.filterOf(selection);
        const subscriber = {
            rejectionChanged: (error: GatewayError | undefined) =>
                listener.rejectionChanged(error && subscriptionRejectedError(filter, error)),
        };
        const takeOut = this.#routes.add({ selection, received: (command) => listener.received(command) });
        subscriptions.add(filter, qos, subscriber);
        return {
            close: () => {
                takeOut();
                subscriptions.remove(filter, subscriber);
            },
        };
    }

    /** Hands notifications to the listener until the subscription is closed. */
    onNotification(listener: NotificationListener): Subscription {
        return { close: this.#notifications.add(listener) };
    }

    /** The server refused the subscription of notifications, or (undefined) granted it. */
    notificationRejectionChanged(error: GatewayError | undefined): void {
        this.#notifications.rejectionChanged(error);
    }

    /** A message arrived; `accepted` is called when it has been handed over. */
    received(message: ReceivedMessage, accepted: () => void): void {
        // A broker keeps a retained message for ever, and hands it over with each subscription.
        const isReplayed = message.retain || this.#deps.isReplaying();
        const pass = () => {
            this.#routes.received(message, isReplayed);
            accepted();
        };
        if (this.#routes.isForFlows(message.topic)) this.#delivery.pass(pass);
        else pass();
    }

    /** From now on messages for the flows wait. */
    pause(): void {
        this.#delivery.pause();
        this.#notifications.pause();
    }

    /** Hands over what waits, in order, and everything that follows at once. */
    resume(): void {
        this.#delivery.resume();
        this.#notifications.resume();
    }

    /** The connection ended: what waits and was not acknowledged comes again with the next one. */
    discard(): void {
        this.#delivery.discard();
    }
}

function pausedTooLong(): ConnectionReason {
    return { code: "GW_STALLED", text: translate("gateway.commandHeld") };
}

/** Something that lasts until it is closed. Closing it twice changes nothing. */
export interface Subscription {
    close(): void;
}
