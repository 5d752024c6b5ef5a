import type { Clock } from "../../clock";
import type { Inventory } from "../../devices/inventory/inventory";
import type { RequestView } from "../../management/request-history";
import type { OutboxCounters } from "../../outbox/outbox-counters";
import { Recent } from "../../recent-items";
import type { ReceivedNotification } from "../events/refusals";
import type { GatewayManagement } from "../gateway-management";
import type { GatewayOptions } from "../gateway-options";
import type { GatewayReports, PastProblem } from "../gateway-reports";
import type { GatewayState } from "../gateway-state";
import type { GatewayStorage } from "../gateway-storage";
import { type DeviceList, type DeviceListQuery, listDevices } from "./device-listing";
import { GatewayHistory, type HistorySample } from "./gateway-history";
import { type GatewayOverview, gatewayOverview } from "./gateway-overview";
import type { GatewayStatistics } from "./gateway-statistics";
import { type NotificationView, notificationView } from "./notification-view";

/** What is watched of a gateway. */
export interface MonitorParts {
    readonly clock: Clock;
    readonly options: GatewayOptions;
    readonly reports: GatewayReports;
    readonly statistics: GatewayStatistics;
    readonly inventory: Inventory;
    readonly management: GatewayManagement;
    state(): GatewayState;
    counters(): OutboxCounters;
    readonly storage: GatewayStorage;
}

/** Numbers that change when something is added to a list. */
export interface ListVersions {
    readonly notifications: number;
    readonly requests: number;
}

const recentCount = 50;

/** What an operator sees of a gateway: the present, the last hour, the devices and what went wrong lately. */
export class GatewayMonitor {
    readonly #parts: MonitorParts;
    readonly #history: GatewayHistory;
    readonly #notifications = new Recent<NotificationView>(recentCount);

    constructor(parts: MonitorParts) {
        this.#parts = parts;
        this.#history = new GatewayHistory(parts.clock, () => this.#sample());
    }

    /** Begins to remember the last hour. */
    start(): void {
        this.#history.start();
    }

    /** Everything that can be said of the gateway in numbers and words. */
    get overview(): GatewayOverview {
        const { options, statistics, inventory, storage } = this.#parts;
        const counters = this.#parts.counters();
        return gatewayOverview({
            options,
            state: this.#parts.state(),
            since: statistics.since,
            changedAt: statistics.changedAt,
            counters,
            totals: statistics.totals(counters),
            rememberedDevices: inventory.size,
            file: storage.file,
        });
    }

    /** At most the last hour, the oldest sample first. */
    get history(): readonly HistorySample[] {
        return this.#history.items;
    }

    /** The problems that the gateway had last. */
    get recentProblems(): readonly PastProblem[] {
        return this.#parts.reports.recentProblems.items;
    }

    /** The notifications that came last. */
    get recentNotifications(): readonly NotificationView[] {
        return this.#notifications.items;
    }

    /** The device management requests that came last, with their outcome. */
    get recentRequests(): readonly RequestView[] {
        return this.#parts.management.engine.history.items;
    }

    /** Numbers that change with each of the lists. */
    get listVersions(): ListVersions {
        return { notifications: this.#notifications.count, requests: this.#parts.management.engine.history.count };
    }

    /** A page of the devices behind the gateway. */
    devices(query: DeviceListQuery): DeviceList {
        const { inventory, management } = this.#parts;
        return listDevices(inventory, (device) => management.engine.phaseOf(device), query);
    }

    /** The platform sent a notification. */
    notified(received: ReceivedNotification): void {
        this.#parts.statistics.notificationReceived(received.notification.fields);
        this.#notifications.add(notificationView(received, this.#parts.clock.now()));
    }

    /** Stops the timer. */
    close(): void {
        this.#history.close();
    }

    #sample(): HistorySample {
        const { clock, statistics, storage } = this.#parts;
        void storage.measure();
        const counters = this.#parts.counters();
        const { eventsReceived, eventsPublished } = statistics.totals(counters);
        const isOnline = this.#parts.state().connection.phase === "online";
        return { at: clock.now(), isOnline, queued: counters.queued, eventsReceived, eventsPublished };
    }
}
