import type { GatewayConnection } from "../connection/gateway-connection";
import type { Registration } from "../devices/registration";
import { GatewayError, toGatewayError } from "../errors";
import type { StateStore } from "../outbox/store";
import { deviceKey } from "../protocol/identity";
import type { Qos } from "../protocol/qos";
import { type FilterLimit, SubscriptionTable } from "../routing/subscription-table";
import type { ContactUser } from "./first-contacts";

/** Someone who wants a filter. */
export interface FilterUser {
    /** The platform refused the subscription; undefined = it grants it now. */
    refusalChanged(error: GatewayError | undefined): void;
}

/** What the filters need of the rest of the gateway. */
export interface FilterSyncParts {
    readonly connection: GatewayConnection;
    readonly registration: Registration;
    /** Where the filters of a durable session are remembered; undefined for a clean one. */
    readonly state: StateStore | undefined;
    readonly limit: FilterLimit | undefined;
    warn(text: string): void;
}

interface ServerFilter {
    readonly qos: Qos;
    isRefused: boolean;
}

const stateKind = "filter";

/**
 * Keeps the filters that the server holds the same as those the flows want: one SUBSCRIBE for each, all in a pipeline, never two
 * that overlap, also none that an earlier run left in a durable session. While flows are deployed nothing is sent, so that a
 * filter that comes back at once is never given up.
 */
export class FilterSync implements ContactUser {
    readonly #parts: FilterSyncParts;
    readonly #table: SubscriptionTable<FilterUser>;
    /** What was asked of the server on this connection. */
    readonly #server = new Map<string, ServerFilter>();
    /** Filters whose first contact has to wait, by device. */
    readonly #waiting = new Map<string, Set<string>>();
    /** The filter that is a device's first contact. */
    readonly #contacts = new Map<string, string>();
    #isOnline = false;
    #isHeld = false;
    #isScheduled = false;
    #warnedOf = 0;

    constructor(parts: FilterSyncParts) {
        this.#parts = parts;
        this.#table = new SubscriptionTable(parts.limit);
    }

    /** Adds a user of a filter. */
    add(filter: string, qos: Qos, user: FilterUser): void {
        this.#table.add(filter, qos, user);
        this.#schedule();
    }

    /** Removes a user of a filter. */
    remove(filter: string, user: FilterUser): void {
        this.#table.remove(filter, user);
        this.#schedule();
    }

    /** The connection is there; without a session present the server holds nothing. */
    linkUp(sessionPresent: boolean): void {
        this.#isOnline = true;
        this.#server.clear();
        const { state } = this.#parts;
        if (state) {
            for (const [filter] of [...state.entries(stateKind)]) {
                if (sessionPresent) this.#server.set(filter, { qos: 0, isRefused: false });
                else state.remove(stateKind, filter);
            }
        }
        this.#sync(true);
    }

    /** The connection ended. */
    linkDown(): void {
        this.#isOnline = false;
        this.#waiting.clear();
        this.#contacts.clear();
    }

    /** The flows are being deployed: nothing is sent until `release`. */
    hold(): void {
        this.#isHeld = true;
    }

    /** The flows run: sends what has changed. */
    release(): void {
        this.#isHeld = false;
        this.#sync(false);
    }

    woken(device: string): void {
        const filters = this.#waiting.get(device);
        if (!filters) return;
        this.#waiting.delete(device);
        for (const filter of filters) {
            const wanted = this.#server.get(filter);
            if (wanted) this.#subscribe(filter, wanted.qos);
        }
    }

    confirmed(device: string): void {
        this.#contacts.delete(device);
    }

    requeued(device: string): void {
        const filter = this.#contacts.get(device);
        this.#contacts.delete(device);
        if (filter !== undefined) this.#wait(device, filter);
    }

    dropped(device: string, error: GatewayError): void {
        const filter = this.#contacts.get(device);
        this.#contacts.delete(device);
        if (filter !== undefined) this.#refused(filter, error);
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
        if (!this.#isOnline || (this.#isHeld && !isNewConnection)) return;
        const { filters, neededFilters } = this.#table.serverFilters();
        this.#warnOfLimit(neededFilters);
        for (const filter of [...this.#server.keys()]) if (!filters.has(filter)) this.#unsubscribe(filter);
        for (const [filter, qos] of filters) {
            const present = this.#server.get(filter);
            if (!isNewConnection && present && present.qos >= qos) continue;
            this.#server.set(filter, { qos, isRefused: false });
            this.#parts.state?.put(stateKind, filter, "");
            this.#subscribe(filter, qos);
        }
    }

    #subscribe(filter: string, qos: Qos): void {
        const device = concreteDevice(filter);
        const answer = device === undefined ? "flow" : this.#parts.registration.tryContact(device, "subscribe");
        if (device !== undefined && answer === "wait") {
            this.#wait(device, filter);
            return;
        }
        const contact = answer === "contact" ? device : undefined;
        if (contact !== undefined) {
            this.#contacts.set(contact, filter);
            this.#parts.registration.contactSent(contact);
        }
        void this.#send(filter, qos, contact);
    }

    async #send(filter: string, qos: Qos, contact: string | undefined): Promise<void> {
        const { connection, registration, state } = this.#parts;
        try {
            // A crash after this still leaves a note of what the durable session may hold.
            if (state) await state.flush().catch(() => undefined);
            await connection.subscribe(filter, qos);
            if (contact !== undefined) registration.contactAcknowledged(contact);
            this.#granted(filter);
        } catch (thrown) {
            const error = toGatewayError(thrown, "GW_NOT_CONNECTED");
            if (error.code !== "GW_SUBSCRIBE_REFUSED") return;
            if (contact !== undefined) registration.contactRejected(contact);
            this.#refused(filter, error);
        }
    }

    #unsubscribe(filter: string): void {
        this.#server.delete(filter);
        // Without an answer the connection has ended; what a durable session still holds is found in the state by the next one.
        const forget = () => {
            if (!this.#server.has(filter)) this.#parts.state?.remove(stateKind, filter);
        };
        this.#parts.connection.unsubscribe(filter).then(forget, () => undefined);
    }

    #granted(filter: string): void {
        const present = this.#server.get(filter);
        if (!present?.isRefused) return;
        present.isRefused = false;
        for (const user of this.#table.usersUnder(filter)) user.refusalChanged(undefined);
    }

    #refused(filter: string, error: GatewayError): void {
        const present = this.#server.get(filter);
        if (!present) return;
        present.isRefused = true;
        for (const user of this.#table.usersUnder(filter)) user.refusalChanged(error);
    }

    #wait(device: string, filter: string): void {
        const filters = this.#waiting.get(device) ?? new Set();
        filters.add(filter);
        this.#waiting.set(device, filters);
    }

    #warnOfLimit(neededFilters: number): void {
        const { limit, warn } = this.#parts;
        if (!limit || neededFilters <= limit.maxFilters || neededFilters === this.#warnedOf) return;
        this.#warnedOf = neededFilters;
        warn(
            `The flows need ${neededFilters} subscriptions, and the platform allows ${limit.maxFilters}. Filters of one device type are joined to keep within that; the flows get the same commands as before.`,
        );
    }
}

/** The key of the only device a filter names, or undefined when it names none or several: a wildcard registers nothing. */
function concreteDevice(filter: string): string | undefined {
    const [, , typeId, , deviceId] = filter.split("/");
    if (!typeId || !deviceId || typeId === "+" || deviceId === "+" || deviceId === "#") return undefined;
    return deviceKey({ typeId, deviceId });
}

/** Maximo's limit of filters; only filters of one device type are ever joined because of it. */
export const maximoFilterLimit: FilterLimit = {
    maxFilters: 50,
    groupOf(filter) {
        const [root, , typeId] = filter.split("/");
        return root === "iot-2" && typeId !== undefined && typeId !== "+" ? typeId : undefined;
    },
};

/** A refusal of a subscription in the words of a node. */
export function subscriptionRefusedError(filter: string, cause: GatewayError): GatewayError {
    return cause.code === "GW_SUBSCRIBE_REFUSED"
        ? cause
        : new GatewayError("GW_SUBSCRIBE_REFUSED", `The subscription of ${filter} was refused. ${cause.message}`, { cause });
}
