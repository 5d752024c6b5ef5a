import type { Clock } from "../../clock";
import type { ConnectionReason } from "../../connection/reasons";
import type { ReceivedMessage } from "../../connection/transport";
import type { GatewayError } from "../../errors";
import { say } from "../../i18n";
import type { GatewayIdentity } from "../../protocol/identity";
import type { Qos } from "../../protocol/qos";
import type { ReceivedNotification } from "../events/refusal-handler";
import { type FilterSync, subscriptionRefusedError } from "../subscriptions/subscription-manager";
import { type CommandSelection, Inbound, type InboundRoutes, type ReceivedCommand } from "./inbound-routes";
import { Notices, type NotificationListener } from "./notification-listeners";
import { HandOver } from "./pausable-delivery";

/** Who takes commands. Nothing of this may throw. */
export interface CommandListener {
    received(command: ReceivedCommand): void;
    /** The platform refused the subscription; undefined = it grants it now. */
    refusalChanged(error: GatewayError | undefined): void;
}

/** What reception works with. */
export interface ReceptionParts {
    readonly clock: Clock;
    readonly identity: GatewayIdentity;
    readonly filters: FilterSync;
    /** Where messages go that are no commands, and where commands are counted. */
    readonly routes: Omit<InboundRoutes, "notification"> & {
        /** Makes of a notification what flows may get. */
        notification(topic: string, payload: Buffer): ReceivedNotification;
    };
    /** Whether what arrives now was queued while the gateway was away. */
    isReplaying(): boolean;
    /** Opens the connection anew. */
    reconnect(reason: ConnectionReason): void;
}

/** Brings what the platform sends to the flows; while they stop and start, it waits. */
export class Reception {
    readonly #parts: ReceptionParts;
    readonly #inbound: Inbound;
    readonly #handOver: HandOver;
    readonly #notices = new Notices();

    constructor(parts: ReceptionParts) {
        const { clock, identity, routes, reconnect } = parts;
        this.#parts = parts;
        this.#handOver = new HandOver(clock, () => reconnect(heldTooLong()));
        this.#inbound = new Inbound(identity, {
            ...routes,
            notification: (topic, payload) => this.#notices.pass(routes.notification(topic, payload)),
        });
    }

    /** Hands commands to the listener until the subscription is closed. */
    onCommand(selection: CommandSelection, qos: Qos, listener: CommandListener): Subscription {
        const { filters } = this.#parts;
        const filter = this.#inbound.filterOf(selection);
        const user = {
            refusalChanged: (error: GatewayError | undefined) => listener.refusalChanged(error && subscriptionRefusedError(filter, error)),
        };
        const takeOut = this.#inbound.add({ selection, received: (command) => listener.received(command) });
        filters.add(filter, qos, user);
        return {
            close: () => {
                takeOut();
                filters.remove(filter, user);
            },
        };
    }

    /** Hands notifications to the listener until the subscription is closed. */
    onNotification(listener: NotificationListener): Subscription {
        return { close: this.#notices.add(listener) };
    }

    /** The server refused the subscription of notifications, or (undefined) granted it. */
    notificationRefusalChanged(error: GatewayError | undefined): void {
        this.#notices.refusalChanged(error);
    }

    /** A message arrived; `accepted` is called when it has been handed over. */
    received(message: ReceivedMessage, accepted: () => void): void {
        // A broker keeps a retained message for ever, and hands it over with each subscription.
        const isReplayed = message.retain || this.#parts.isReplaying();
        const pass = () => {
            this.#inbound.received(message, isReplayed);
            accepted();
        };
        if (this.#inbound.isForFlows(message.topic)) this.#handOver.pass(pass);
        else pass();
    }

    /** From now on messages for the flows wait. */
    hold(): void {
        this.#handOver.hold();
        this.#notices.hold();
    }

    /** Hands over what waits, in order, and everything that follows at once. */
    release(): void {
        this.#handOver.release();
        this.#notices.release();
    }

    /** The connection ended: what waits and was not acknowledged comes again with the next one. */
    discard(): void {
        this.#handOver.discard();
    }
}

function heldTooLong(): ConnectionReason {
    return { code: "GW_STALLED", text: say("gateway.commandHeld") };
}

/** Something that lasts until it is closed. Closing it twice changes nothing. */
export interface Subscription {
    close(): void;
}
