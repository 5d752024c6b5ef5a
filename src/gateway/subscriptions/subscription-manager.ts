import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import type { SentPacket } from "../../connection/sent-packet";
import type { Registration } from "../../devices/registration/registration";
import { type GatewayError, toGatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { StateStore } from "../../outbox/store/store";
import type { Qos } from "../../protocol/qos";
import { type FilterLimit, SubscriptionTable } from "../../routing/subscription-table";
import { filterCovers } from "../../routing/topic-filter";
import type { SuspectSearch } from "../suspects/suspect-search";
import type { SuspectClient } from "../suspects/trial";
import { FilterCheck, type FilterCheckListener } from "./filter-check";
import { RejectedFilters } from "./rejected-filters";
import { type ServerSubscription, ServerSubscriptions } from "./server-subscriptions";
import { closingFilterError } from "./subscription-errors";
import { SubscriptionJournal } from "./subscription-journal";
import { TakeOvers } from "./take-overs";

/**
 * Keeps the filters that the server holds the same as those the flows want: one SUBSCRIBE for each, all in a pipeline, never two
 * that overlap (except while one takes over from another, so that no message is lost between them), also none that an
 * earlier run left in a durable session. While flows are deployed nothing is changed, so that a filter that comes back at once
 * is never given up.
 */
export class SubscriptionManager implements FilterCheckListener {
    readonly #deps: SubscriptionManagerDeps;
    readonly #table: SubscriptionTable<Subscriber>;
    readonly #journal: SubscriptionJournal;
    readonly #server = new ServerSubscriptions();
    readonly #rejectedFilters = new RejectedFilters();
    /** What the server should hold, as of the last time the flows ran. */
    #target = new Map<string, Qos>();
    /** The filters that wait for their device, or are its check. */
    readonly #checks = new Set<FilterCheck>();
    readonly #takeOvers: TakeOvers;
    #isOnline = false;
    #isResumed = false;
    #isPaused = false;
    #isScheduled = false;
    #warnedOf = 0;

    constructor(deps: SubscriptionManagerDeps) {
        this.#deps = deps;
        this.#table = new SubscriptionTable(deps.limit);
        this.#journal = new SubscriptionJournal(deps.state);
        this.#takeOvers = new TakeOvers(deps.clock, (entries) => this.#takenOver(entries));
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
        this.#takeOvers.clear();
        for (const check of this.#checks) this.#deps.registration.withdraw(check.device, check);
        this.#checks.clear();
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
        if (limit && this.#server.size + missing.length > limit.maxFilters) this.#unsubscribe(true);
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

    #ask(entry: ServerSubscription): void {
        const device = this.#deps.deviceOf(entry.filter);
        if (device !== undefined) this.#askFor(new FilterCheck(device, entry, this));
        else if (this.#isAdmitted(entry)) void this.#send(entry);
    }

    /** Whether the filter may be sent now. Otherwise the search for suspects asks for it when it is its turn. */
    #isAdmitted(entry: ServerSubscription): boolean {
        const admitted = this.#deps.search.admit(packetOf(entry), this.#suspectClient(entry));
        return admitted === "send" || admitted === "test";
    }

    /** What the search for suspects does with a filter after which the server may close the connection. */
    #suspectClient(entry: ServerSubscription): SuspectClient {
        const { filter } = entry;
        return {
            wake: () => {
                if (this.#isOnline && this.#server.isCurrent(entry)) this.#ask(entry);
            },
            acquitted: () => undefined,
            struck: (_packet, strikes) => {
                if (strikes <= 1) this.#reject(filter, closingFilterError(filter));
            },
            condemned: () => this.#reject(filter, closingFilterError(filter)),
        };
    }

    /** Sends the filter if its device may be asked for: at once, or as its check. Otherwise it waits to be woken. */
    #askFor(check: FilterCheck): void {
        const { registration } = this.#deps;
        const { device, entry } = check;
        const answer = registration.register(device, "subscribe", check);
        if (answer === "wait") {
            this.#checks.add(check);
            // A hold may take hours, in which every command that the old filter matches as well would come twice.
            if (registration.isHeld(device)) this.#releaseOverlaps(entry.filter);
            return;
        }
        if (answer === "flow") {
            this.#checks.delete(check);
            if (this.#isAdmitted(entry)) void this.#send(entry);
            return;
        }
        if (!this.#isAdmitted(entry)) {
            registration.withdraw(device, check);
            this.#checks.delete(check);
            return;
        }
        this.#checks.add(check);
        registration.sent(device);
        void this.#send(entry, device);
    }

    /** The device of a waiting filter may be asked for again. */
    retry(check: FilterCheck): void {
        if (this.#isNeeded(check)) this.#askFor(check);
        else this.#deps.registration.withdraw(check.device, check);
    }

    /** The check did not go through: it is kept until it is woken, if the filter is still wanted. */
    requeue(check: FilterCheck): void {
        if (!this.#isNeeded(check)) this.#deps.registration.withdraw(check.device, check);
    }

    /** The check has its outcome, an error if the platform refused the filter. */
    checked(check: FilterCheck, error?: GatewayError): void {
        if (this.#isNeeded(check) && error) this.#answered(check.entry.filter, error);
        this.#checks.delete(check);
    }

    #isNeeded(check: FilterCheck): boolean {
        if (!this.#checks.has(check)) return false;
        if (this.#server.isCurrent(check.entry)) return true;
        this.#checks.delete(check);
        return false;
    }

    async #send(entry: ServerSubscription, device?: string): Promise<void> {
        const { connection, registration } = this.#deps;
        const { filter, qos } = entry;
        const answered = () => this.#deps.search.acknowledged(packetOf(entry));
        try {
            await connection.subscribe(filter, qos);
            answered();
            if (device !== undefined) registration.acknowledged(device);
            if (!this.#server.isCurrent(entry)) return;
            this.#granted(entry);
            this.#answered(filter, undefined);
        } catch (thrown) {
            const error = toGatewayError(thrown, "GW_NOT_CONNECTED");
            if (error.code !== "GW_SUBSCRIBE_REFUSED") return;
            answered();
            if (device !== undefined) registration.rejected(device);
            if (this.#server.isCurrent(entry)) this.#answered(filter, error);
        }
    }

    #granted(entry: ServerSubscription): void {
        if (this.#server.isTakingOver(entry.filter)) this.#takeOvers.begin(entry);
        else this.#server.releaseOverlaps(entry.filter);
    }

    #takenOver(entries: readonly ServerSubscription[]): void {
        for (const entry of entries) if (this.#server.isCurrent(entry)) this.#server.releaseOverlaps(entry.filter);
        this.#unsubscribe();
    }

    #releaseOverlaps(filter: string): void {
        this.#server.releaseOverlaps(filter);
        this.#unsubscribe();
    }

    /** Gives up what nobody wants any more and no filter takes over from; with `isForced` the latter as well. */
    #unsubscribe(isForced = false): void {
        for (const filter of this.#server.takeUnsubscribable(isForced)) {
            // Without an answer the connection has ended; what a durable session still holds is found in the journal by the next one.
            const forget = () => {
                if (!this.#server.get(filter)) this.#journal.remove(filter);
            };
            this.#deps.search.withdraw({ kind: "filter", name: filter, device: undefined });
            this.#deps.connection.unsubscribe(filter).then(forget, () => undefined);
        }
    }

    #answered(filter: string, rejection: GatewayError | undefined): void {
        if (!rejection) this.#deps.granted(filter);
        this.#server.answered(filter, rejection !== undefined);
        if (rejection) this.#reject(filter, rejection);
        else for (const subscriber of this.#table.usersOf(this.#rejectedFilters.takeUnder(filter))) subscriber.rejectionChanged(undefined);
    }

    #reject(filter: string, rejection: GatewayError): void {
        const concerned = this.#table.filtersUnder(filter);
        this.#rejectedFilters.add(concerned);
        for (const subscriber of this.#table.usersOf(concerned)) subscriber.rejectionChanged(rejection);
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
    readonly registration: Pick<Registration, "register" | "isHeld" | "sent" | "acknowledged" | "rejected" | "withdraw">;
    readonly search: Pick<SuspectSearch, "admit" | "acknowledged" | "withdraw">;
    readonly clock: Clock;
    /** Where the filters of a durable session are remembered; undefined for a clean one. */
    readonly state: StateStore | undefined;
    /** The key of the only device that a filter names; undefined when it names none or several: a wildcard registers nothing. */
    deviceOf(filter: string): string | undefined;
    readonly limit: FilterLimit | undefined;
    /** The platform holds the filter on this connection. */
    granted(filter: string): void;
    warn(text: string): void;
}

function packetOf({ filter, qos }: ServerSubscription): SentPacket {
    return { kind: "filter", name: filter, device: undefined, qos, bytes: 0 };
}
