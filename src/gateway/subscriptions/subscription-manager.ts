import type { GatewayConnection } from "../../connection/gateway-connection";
import type { Registration } from "../../devices/registration/registration";
import { GatewayError, toGatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { StateStore } from "../../outbox/store/store";
import { deviceKey } from "../../protocol/identity";
import type { Qos } from "../../protocol/qos";
import { type FilterLimit, SubscriptionTable } from "../../routing/subscription-table";
import { filterCovers } from "../../routing/topic-filter";
import type { RegistrationClient } from "../events/registration-router";
import { RejectedFilters } from "./rejected-filters";
import { type ServerSubscription, ServerSubscriptions } from "./server-subscriptions";
import { SubscriptionJournal } from "./subscription-journal";

/**
 * Keeps the filters that the server holds the same as those the flows want: one SUBSCRIBE for each, all in a pipeline, never two
 * that overlap (but for the moment in which one takes over from another, so that nothing slips between), also none that an
 * earlier run left in a durable session. While flows are deployed nothing is changed, so that a filter that comes back at once
 * is never given up.
 */
export class SubscriptionManager implements RegistrationClient {
    readonly #deps: SubscriptionManagerDeps;
    readonly #table: SubscriptionTable<Subscriber>;
    readonly #journal: SubscriptionJournal;
    readonly #server = new ServerSubscriptions();
    readonly #rejectedFilters = new RejectedFilters();
    /** What the server should hold, as of the last time the flows ran. */
    #target = new Map<string, Qos>();
    /** Filters whose registration attempt has to wait, by device. */
    readonly #waiting = new Map<string, Set<string>>();
    /** The filter that is a device's registration attempt. */
    readonly #registering = new Map<string, string>();
    #isOnline = false;
    #isResumed = false;
    #isPaused = false;
    #isScheduled = false;
    #warnedOf = 0;

    constructor(deps: SubscriptionManagerDeps) {
        this.#deps = deps;
        this.#table = new SubscriptionTable(deps.limit);
        this.#journal = new SubscriptionJournal(deps.state);
    }

    /** Adds a user of a filter. */
    add(filter: string, qos: Qos, subscriber: Subscriber): void {
        this.#table.add(filter, qos, subscriber);
        // A new subscriber of a rejected filter was not notified: the filter is requested again, and the answer is for all its subscribers.
        for (const held of this.#server.rejected) if (filterCovers(held, filter)) this.#server.askAgain(held);
        this.#schedule();
    }

    /** Removes a user of a filter. */
    remove(filter: string, subscriber: Subscriber): void {
        this.#table.remove(filter, subscriber);
        if (this.#table.usersOf([filter]).length === 0) this.#rejectedFilters.remove(filter);
        this.#schedule();
    }

    /** The connection is there; without a session present the server holds nothing. */
    linkUp(sessionPresent: boolean): void {
        this.#isOnline = true;
        this.#isResumed = sessionPresent;
        this.#server.reset(sessionPresent ? this.#journal.all() : []);
        this.#sync(true);
        this.#forgetLost();
    }

    /** What an earlier run noted can be read, perhaps only now that the connection is there. */
    journalLoaded(): void {
        if (!this.#isOnline) return;
        if (this.#isResumed) this.#server.addExisting(this.#journal.all());
        this.#sync(false);
        this.#forgetLost();
    }

    /** The connection ended. */
    linkDown(): void {
        this.#isOnline = false;
        this.#server.reset([]);
        this.#waiting.clear();
        this.#registering.clear();
    }

    /** The flows are being deployed: the filters stay as they are until `resume`. */
    pause(): void {
        this.#isPaused = true;
    }

    /** The flows run: sends what has changed. */
    resume(): void {
        this.#isPaused = false;
        this.#sync(false);
    }

    wake(device: string): void {
        const filters = this.#waiting.get(device);
        if (!filters) return;
        this.#waiting.delete(device);
        for (const filter of filters) {
            const entry = this.#server.get(filter);
            if (entry) this.#subscribe(entry);
        }
    }

    confirm(device: string): void {
        this.#registering.delete(device);
    }

    requeue(device: string): void {
        const filter = this.#registering.get(device);
        this.#registering.delete(device);
        if (filter !== undefined) this.#wait(device, filter);
    }

    drop(device: string, error: GatewayError): void {
        const filter = this.#registering.get(device);
        this.#registering.delete(device);
        if (filter !== undefined) this.#answered(filter, error);
    }

    #schedule(): void {
        if (this.#isScheduled) return;
        this.#isScheduled = true;
        // A thousand nodes that start together make one round of changes, not a thousand.
        queueMicrotask(() => {
            this.#isScheduled = false;
            this.#sync(false);
        });
    }

    #sync(isNewConnection: boolean): void {
        if (!this.#isOnline || (this.#isPaused && !isNewConnection)) return;
        // During a deploy the flows want half of what they will want: a new connection gets what the last one had.
        if (!this.#isPaused) this.#target = this.#wanted();
        const missing = [...this.#target].filter(([filter, qos]) => isNewConnection || (this.#server.get(filter)?.qos ?? -1) < qos);
        this.#server.keepOnly(this.#target);
        const { limit } = this.#deps;
        if (limit && this.#server.size + missing.length > limit.maxFilters) this.#unsubscribe();
        for (const entry of missing.map(([filter, qos]) => this.#server.markRequested(filter, qos))) this.#subscribe(entry);
        this.#unsubscribe();
    }

    /** What was noted of a session that the server no longer has. */
    #forgetLost(): void {
        if (this.#isResumed) return;
        for (const filter of this.#journal.all()) if (!this.#target.has(filter)) this.#journal.remove(filter);
    }

    #wanted(): Map<string, Qos> {
        const { filters, neededFilters } = this.#table.serverFilters();
        this.#warnOfLimit(neededFilters);
        return filters;
    }

    #subscribe(entry: ServerSubscription): void {
        const written = this.#journal.add(entry.filter);
        if (!written) this.#ask(entry);
        else
            void written.then(() => {
                if (this.#server.isCurrent(entry)) this.#ask(entry);
            });
    }

    /** Sends the filter if its device may be registered now. After the answer `register` it must be sent. */
    #ask(entry: ServerSubscription): void {
        const { registration } = this.#deps;
        const { filter } = entry;
        const device = concreteDevice(filter);
        const answer = device === undefined ? "flow" : registration.tryRegister(device, "subscribe");
        if (device !== undefined && answer === "wait") {
            this.#wait(device, filter);
            // A hold may take hours, in which every command that the old filter matches as well would come twice.
            if (registration.stateOf(device).phase === "held") this.#server.releaseOverlaps(filter);
            return;
        }
        const registering = answer === "register" ? device : undefined;
        if (registering !== undefined) {
            this.#registering.set(registering, filter);
            registration.attemptSent(registering);
        }
        void this.#send(entry, registering);
    }

    async #send(entry: ServerSubscription, registering: string | undefined): Promise<void> {
        const { connection, registration } = this.#deps;
        const { filter, qos } = entry;
        try {
            const answer = connection.subscribe(filter, qos);
            this.#server.releaseOverlaps(filter);
            this.#unsubscribe();
            await answer;
            if (registering !== undefined) registration.attemptAcknowledged(registering);
            if (this.#server.isCurrent(entry)) this.#answered(filter, undefined);
        } catch (thrown) {
            const error = toGatewayError(thrown, "GW_NOT_CONNECTED");
            if (error.code !== "GW_SUBSCRIBE_REFUSED") return;
            if (registering !== undefined) registration.attemptRejected(registering);
            if (this.#server.isCurrent(entry)) this.#answered(filter, error);
        }
    }

    /** Unsubscribes the filters that no subscriber wants any more. */
    #unsubscribe(): void {
        for (const filter of this.#server.takeUnsubscribable()) {
            // Without an answer the connection has ended; what a durable session still holds is found in the notes by the next one.
            const forget = () => {
                if (!this.#server.get(filter)) this.#journal.remove(filter);
            };
            this.#deps.connection.unsubscribe(filter).then(forget, () => undefined);
        }
    }

    #answered(filter: string, rejection: GatewayError | undefined): void {
        if (!rejection) this.#deps.granted(filter);
        this.#server.answered(filter, rejection !== undefined);
        const concerned = rejection ? this.#table.filtersUnder(filter) : this.#rejectedFilters.takeUnder(filter);
        if (rejection) this.#rejectedFilters.add(concerned);
        for (const subscriber of this.#table.usersOf(concerned)) subscriber.rejectionChanged(rejection);
    }

    #wait(device: string, filter: string): void {
        const filters = this.#waiting.get(device) ?? new Set();
        filters.add(filter);
        this.#waiting.set(device, filters);
    }

    #warnOfLimit(neededFilters: number): void {
        const { limit, warn } = this.#deps;
        if (!limit || neededFilters <= limit.maxFilters || neededFilters === this.#warnedOf) return;
        this.#warnedOf = neededFilters;
        warn(translate("gateway.filtersJoined", { needed: neededFilters, allowed: limit.maxFilters }));
    }
}

/** Someone who wants a filter. */
export interface Subscriber {
    /** The platform refused the subscription; undefined = it grants it now. */
    rejectionChanged(error: GatewayError | undefined): void;
}

/** What the filters need of the rest of the gateway. */
export interface SubscriptionManagerDeps {
    readonly connection: Pick<GatewayConnection, "subscribe" | "unsubscribe">;
    readonly registration: Pick<Registration, "tryRegister" | "stateOf" | "attemptSent" | "attemptAcknowledged" | "attemptRejected">;
    /** Where the filters of a durable session are remembered; undefined for a clean one. */
    readonly state: StateStore | undefined;
    readonly limit: FilterLimit | undefined;
    /** The platform holds the filter on this connection. */
    granted(filter: string): void;
    warn(text: string): void;
}

/** The key of the only device a filter names, or undefined when it names none or several: a wildcard registers nothing. */
function concreteDevice(filter: string): string | undefined {
    const [, , typeId, , deviceId] = filter.split("/");
    if (!typeId || !deviceId || typeId === "+" || deviceId === "+" || deviceId === "#") return undefined;
    return deviceKey({ typeId, deviceId });
}

/** Maximo allows fifty filters, one of which is that of the notifications. Only filters of one device type are ever joined because of it. */
export const maximoFilterLimit: FilterLimit = {
    maxFilters: 49,
    groupOf(filter) {
        const [root, , typeId] = filter.split("/");
        return root === "iot-2" && typeId !== undefined && typeId !== "+" ? typeId : undefined;
    },
};

/** A refusal of a subscription in the words of a node. */
export function subscriptionRejectedError(filter: string, cause: GatewayError): GatewayError {
    return cause.code === "GW_SUBSCRIBE_REFUSED"
        ? cause
        : new GatewayError("GW_SUBSCRIBE_REFUSED", translate("gateway.subscriptionRefused", { filter, reason: cause.message }), { cause });
}
