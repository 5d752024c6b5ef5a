import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import { maxPacketBytes, type ReceivedMessage } from "../../connection/link";
import type { ConnectionReason } from "../../connection/reason";
import { GatewayError } from "../../errors";
import { shortened, translate } from "../../i18n";
import type { GatewayTopics } from "../../protocol/gateway-topics";
import type { Qos } from "../../protocol/qos";
import type { CommandTopic } from "../../protocol/topic";
import { topicLevels } from "../../routing/topic-filter";
import { TopicTrie } from "../../routing/topic-trie";
import type { DeviceManagement } from "../device-management";
import type { EventPublisher } from "../events/event-publisher";
import type { ReceivedNotification } from "../events/refusal-handler";
import { type SubscriptionManager, subscriptionRejectedError } from "../subscriptions/subscription-manager";
import { type NotificationListener, NotificationListeners } from "./notification-listeners";
import { PausableDelivery } from "./pausable-delivery";

/** How much of a topic a log line shows. */
const maxTopicShown = 200;

/**
 * Brings each received message to the nodes that want it. Messages for the flows wait while the flows stop and start. A message on any
 * other topic, or on a malformed one, goes nowhere.
 */
export class MessageRouter {
    readonly #deps: MessageRouterDeps;
    readonly #commandRoutes = new TopicTrie<CommandRoute>();
    readonly #delivery: PausableDelivery;
    readonly #notifications = new NotificationListeners();

    constructor(deps: MessageRouterDeps) {
        this.#deps = deps;
        this.#delivery = new PausableDelivery(deps.clock, () => deps.connection.reconnect(pausedTooLong()));
    }

    /** Hands commands to the listener until the subscription is closed. */
    onCommand(selection: CommandSelection, qos: Qos, listener: CommandListener): Subscription {
        const { subscriptions } = this.#deps;
        const filter = this.#filterOf(selection);
        const route = { selection, listener };
        const subscriber = {
            rejectionChanged: (error: GatewayError | undefined) =>
                listener.rejectionChanged(error && subscriptionRejectedError(filter, error)),
        };
        this.#commandRoutes.add(filter, route);
        subscriptions.add(filter, qos, subscriber);
        return {
            close: () => {
                this.#commandRoutes.remove(filter, route);
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

    /** A message arrived. `accepted` is called once the nodes have it: its acknowledgement leaves then. */
    received(message: ReceivedMessage, accepted: () => void): void {
        if (message.topic === this.#deps.topics.notifyTopic) {
            this.#notificationReceived(message);
            accepted();
            return;
        }
        // A broker keeps a retained message indefinitely, and sends it with each subscription.
        const isReplayed = message.retain || this.#deps.management.isReplaying;
        this.#delivery.pass(() => {
            if (this.#deps.topics.areOwn || !message.topic.startsWith("iotdm-1/")) this.#commandReceived(message);
            else if (message.oversizedBytes === undefined) this.#deps.management.received(message.topic, message.payload, isReplayed);
            else this.#reportOversized(message.topic, message.oversizedBytes);
            accepted();
        });
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

    #notificationReceived({ topic, payload, oversizedBytes }: ReceivedMessage): void {
        if (oversizedBytes !== undefined) {
            this.#reportOversized(topic, oversizedBytes);
            return;
        }
        const notification = this.#deps.publisher.notificationReceived(topic, payload);
        this.#deps.listener.notificationReceived(notification);
        this.#notifications.pass(notification);
    }

    /** Each listener gets a command once, whatever the number of its filters. */
    #commandReceived({ topic, payload, qos, duplicate, oversizedBytes }: ReceivedMessage): void {
        // Split once for parsing and routing, and one object for all listeners: 17 % less of the cost of routing a command.
        const levels = topicLevels(topic);
        const parts = this.#deps.topics.parseCommand(levels);
        if (parts) this.#deps.listener.commandReceived(parts);
        const error = oversizedBytes === undefined ? undefined : tooLarge(oversizedBytes);
        let isTaken = false;
        if (parts) {
            const command = { ...parts, topic, payload, qos, duplicate, error };
            for (const { selection, listener } of this.#commandRoutes.matchLevels(levels)) {
                if (this.#isLeftOut(selection, parts)) continue;
                isTaken = true;
                listener.received(command);
            }
        }
        if (oversizedBytes !== undefined && !isTaken) this.#reportOversized(topic, oversizedBytes);
    }

    #reportOversized(topic: string, bytes: number): void {
        this.#deps.listener.warn(
            translate("gateway.oversizedMessage", { topic: shortened(topic, maxTopicShown), bytes, limit: maxPacketBytes }),
        );
    }

    #filterOf({ target, parts }: CommandSelection): string {
        const { topics } = this.#deps;
        return topics.commandFilter(target === "gateway" ? { ...parts, ...topics.gatewayParts } : parts);
    }

    /** A selection of devices with a wildcard does not include the gateway itself. */
    #isLeftOut({ target, parts }: CommandSelection, command: CommandTopic): boolean {
        const { typeId, deviceId } = this.#deps.topics.gatewayParts;
        if (target === "gateway" || command.deviceId !== deviceId || command.typeId !== typeId) return false;
        return parts.deviceId === undefined || parts.typeId !== typeId;
    }
}

/** What the router works with. */
export interface MessageRouterDeps {
    readonly clock: Clock;
    readonly topics: GatewayTopics;
    readonly connection: Pick<GatewayConnection, "reconnect">;
    readonly subscriptions: Pick<SubscriptionManager, "add" | "remove">;
    readonly publisher: Pick<EventPublisher, "notificationReceived">;
    readonly management: Pick<DeviceManagement, "received" | "isReplaying">;
    readonly listener: MessageRouterListener;
}

/** Notified of each message, before the nodes. */
export interface MessageRouterListener {
    commandReceived(command: CommandTopic): void;
    notificationReceived(notification: ReceivedNotification): void;
    /** Something worth a warning in the log. */
    warn(text: string): void;
}

/** Takes commands. Nothing of this may throw. */
export interface CommandListener {
    received(command: ReceivedCommand): void;
    /** The platform refused the subscription; undefined = it grants it now. */
    rejectionChanged(error: GatewayError | undefined): void;
}

/** A command as it came from the platform. */
export interface ReceivedCommand extends CommandTopic {
    readonly topic: string;
    readonly payload: Buffer;
    readonly qos: Qos;
    /** The platform may have sent it before. */
    readonly duplicate: boolean;
    /** `GW_BAD_COMMAND` when the command was too large: then its payload is empty. */
    readonly error?: GatewayError | undefined;
}

/** The commands that a listener wants; an absent part matches any value. */
export interface CommandSelection {
    /** `gateway` = the gateway's own commands; `device` = by the parts, never the gateway's own unless all ids name it. */
    readonly target: "gateway" | "device";
    readonly parts: Partial<CommandTopic>;
}

/** Lasts until it is closed. Closing it twice changes nothing. */
export interface Subscription {
    close(): void;
}

interface CommandRoute {
    readonly selection: CommandSelection;
    readonly listener: CommandListener;
}

function tooLarge(bytes: number): GatewayError {
    return new GatewayError("GW_BAD_COMMAND", translate("protocol.commandTooLarge", { bytes, limit: maxPacketBytes }));
}

function pausedTooLong(): ConnectionReason {
    return { code: "GW_STALLED", text: translate("gateway.commandHeld") };
}
