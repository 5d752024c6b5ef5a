import type { ReceivedMessage } from "../../connection/link";
import type { GatewayError } from "../../errors";
import type { GatewayTopics } from "../../protocol/gateway-topics";
import type { DeviceManagement } from "../device-management";
import type { EventPublisher } from "../events/event-publisher";
import type { ReceivedNotification } from "../events/refusal-handler";
import type { CommandRouter } from "./command-router";
import { type NotificationListener, NotificationListeners } from "./notification-listeners";

/** Brings each received message to what is concerned with its topic: notifications, device management, commands. */
export class MessageRouter {
    readonly #deps: MessageRouterDeps;
    readonly #notifications = new NotificationListeners();

    constructor(deps: MessageRouterDeps) {
        this.#deps = deps;
    }

    /** Hands notifications to the listener until the subscription is closed. */
    onNotification(listener: NotificationListener): Subscription {
        return { close: this.#notifications.add(listener) };
    }

    /** The server refused the subscription of notifications, or (undefined) granted it. */
    notificationRejectionChanged(error: GatewayError | undefined): void {
        this.#notifications.rejectionChanged(error);
    }

    /** A message arrived. `accepted` is called once its acknowledgement may leave. */
    received(message: ReceivedMessage, accepted: () => void): void {
        const { topic, payload, oversizedBytes } = message;
        const { topics, management, commands } = this.#deps;
        if (topic === topics.notifyTopic) {
            this.#notificationReceived(message);
            accepted();
            return;
        }
        // A broker keeps a retained message indefinitely, and sends it with each subscription.
        const isReplayed = message.retain || management.isReplaying;
        if (topics.areOwn || !topic.startsWith("iotdm-1/")) {
            commands.received(message, isReplayed, accepted);
            return;
        }
        commands.whenFlowsRun(topic.length + payload.length, () => {
            if (oversizedBytes === undefined) management.received(topic, payload, isReplayed);
            else commands.reportOversized(topic, oversizedBytes);
            accepted();
        });
    }

    /** From now on notifications wait. */
    pause(): void {
        this.#notifications.pause();
    }

    /** Hands over what waits, in order, and everything that follows at once. */
    resume(): void {
        this.#notifications.resume();
    }

    #notificationReceived({ topic, payload, oversizedBytes }: ReceivedMessage): void {
        if (oversizedBytes !== undefined) {
            this.#deps.commands.reportOversized(topic, oversizedBytes);
            return;
        }
        const notification = this.#deps.publisher.notificationReceived(topic, payload);
        this.#deps.notificationReceived(notification);
        this.#notifications.pass(notification);
    }
}

/** What the router works with. */
export interface MessageRouterDeps {
    readonly topics: GatewayTopics;
    readonly publisher: Pick<EventPublisher, "notificationReceived">;
    readonly management: Pick<DeviceManagement, "received" | "isReplaying">;
    readonly commands: CommandRouter;
    /** Notified of each notification, before the nodes. */
    notificationReceived(notification: ReceivedNotification): void;
}

/** Lasts until it is closed. Closing it twice changes nothing. */
export interface Subscription {
    close(): void;
}
