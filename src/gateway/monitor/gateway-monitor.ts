import type { Clock, Timer } from "../../clock";
import type { Inventory } from "../../devices/inventory/inventory";
import { shortened } from "../../i18n";
import type { RequestView } from "../../management/request-history";
import type { OutboxCounters } from "../../outbox/outbox";
import { notifiedDevice } from "../../protocol/notification";
import { RecentItems } from "../../recent-items";
import type { DeviceManagement } from "../device-management";
import type { ReceivedNotification } from "../events/refusal-handler";
import type { GatewayListeners, PastProblem } from "../gateway-listeners";
import type { GatewayOptions } from "../gateway-options";
import type { GatewayState } from "../gateway-state";
import type { GatewayStorage } from "../gateway-storage";
import type { CommandOutcome, ReceivedCommand } from "../inbound/command";
import { CommandHistory, type CommandView } from "./command-history";
import type { GatewayHealth } from "./gateway-health";
import { type DeviceList, type DeviceListQuery, type GatewayOverview, gatewayOverview, listDevices } from "./gateway-overview";
import type { GatewayStatistics } from "./gateway-statistics";
import type { SilentDevices } from "./silent-devices";

/** What is watched of a gateway. */
export interface GatewayMonitorDeps {
    readonly clock: Clock;
    readonly options: GatewayOptions;
    readonly listeners: GatewayListeners;
    readonly statistics: GatewayStatistics;
    readonly inventory: Inventory;
    readonly management: DeviceManagement;
    readonly silentDevices: SilentDevices;
    readonly health: GatewayHealth;
    state(): GatewayState;
    counters(): OutboxCounters;
    readonly storage: GatewayStorage;
}

/** Numbers that change when something is added to a list. */
export interface ListVersions {
    readonly notifications: number;
    readonly requests: number;
    readonly commands: number;
}

const recentCount = 50;

/** What an operator sees of a gateway: the present, the last hour, the devices and what went wrong lately. */
export class GatewayMonitor {
    readonly #deps: GatewayMonitorDeps;
    readonly #history: GatewayHistory;
    readonly #notifications = new RecentItems<NotificationView>(recentCount);
    readonly #commands = new CommandHistory();

    constructor(deps: GatewayMonitorDeps) {
        this.#deps = deps;
        this.#history = new GatewayHistory(deps.clock, () => this.#sample());
    }

    /** Begins to remember the last hour. */
    start(): void {
        this.#history.start();
    }

    /** Everything that can be said of the gateway in numbers and words. */
    get overview(): GatewayOverview {
        const { options, statistics, inventory, silentDevices, health, storage } = this.#deps;
        const counters = this.#deps.counters();
        return gatewayOverview({
            options,
            state: this.#deps.state(),
            since: statistics.since,
            changedAt: statistics.changedAt,
            counters,
            totals: statistics.totals(counters),
            rememberedDevices: inventory.size,
            silentDevices: silentDevices.count,
            health: health.read(),
            file: storage.file,
        });
    }

    /** At most the last hour, the oldest sample first. */
    get history(): readonly HistorySample[] {
        return this.#history.items;
    }

    /** The problems that the gateway had last. */
    get recentProblems(): readonly PastProblem[] {
        return this.#deps.listeners.recentProblems.items;
    }

    /** The notifications that came last. */
    get recentNotifications(): readonly NotificationView[] {
        return this.#notifications.items;
    }

    /** The device management requests that came last, with their outcome. */
    get recentRequests(): readonly RequestView[] {
        return this.#deps.management.engine.history.items;
    }

    /** The commands that came last, with their outcome. */
    get recentCommands(): readonly CommandView[] {
        return this.#commands.items;
    }

    /** Numbers that change with each of the lists. */
    get listVersions(): ListVersions {
        const requests = this.#deps.management.engine.history.count;
        return { notifications: this.#notifications.count, requests, commands: this.#commands.count };
    }

    /** A page of the devices behind the gateway. */
    devices(query: DeviceListQuery): DeviceList {
        const { inventory, management } = this.#deps;
        return listDevices(inventory, (device) => management.engine.phaseOf(device), query);
    }

    /** The platform sent a notification. */
    notified(received: ReceivedNotification): void {
        this.#deps.statistics.notificationReceived(received.notification.fields);
        this.#notifications.add(notificationView(received, this.#deps.clock.now()));
    }

    /** A command was handed to a flow that has to send it back. */
    commandStarted(command: ReceivedCommand): void {
        this.#commands.started(command);
    }

    /** A command ended, `tookMs` after it was received; undefined where nothing had to be sent back. */
    commandEnded(command: ReceivedCommand, outcome: CommandOutcome, tookMs: number | undefined): void {
        this.#deps.statistics.commandEnded(outcome, tookMs);
        this.#commands.ended(command, outcome, tookMs);
    }

    /** Stops the timer. */
    close(): void {
        this.#history.close();
    }

    #sample(): HistorySample {
        const { clock, statistics, storage } = this.#deps;
        void storage.measure();
        const counters = this.#deps.counters();
        const { eventsReceived, eventsPublished } = statistics.totals(counters);
        const isOnline = this.#deps.state().connection.phase === "online";
        return { at: clock.now(), isOnline, queued: counters.queued, eventsReceived, eventsPublished };
    }
}

/** The numbers that a chart shows. */
interface HistorySample {
    /** Wall clock, milliseconds. */
    readonly at: number;
    readonly isOnline: boolean;
    readonly queued: number;
    /** Totals, whose differences are rates. */
    readonly eventsReceived: number;
    readonly eventsPublished: number;
}

const everyMs = 5_000;
const samples = 720;

/** Remembers an hour of a gateway, so that a chart shows what happened before somebody looked. */
export class GatewayHistory {
    readonly #clock: Clock;
    readonly #read: () => HistorySample;
    readonly #samples = new RecentItems<HistorySample>(samples);
    #timer: Timer | undefined;

    constructor(clock: Clock, read: () => HistorySample) {
        this.#clock = clock;
        this.#read = read;
    }

    /** Takes a sample now and every five seconds, until `close`. */
    start(): void {
        this.#samples.add(this.#read());
        this.#timer = this.#clock.setTimer(everyMs, () => this.start());
    }

    /** At most an hour of samples, the oldest first. */
    get items(): readonly HistorySample[] {
        return this.#samples.items;
    }

    close(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }
}

/** A notification as it is shown: cut to a size that can be kept. */
interface NotificationView {
    /** When it was received (wall clock, milliseconds). */
    readonly at: number;
    readonly request?: string;
    readonly typeId?: string;
    readonly deviceId?: string;
    readonly rc?: number;
    readonly text: string;
    readonly topic?: string;
}

const maxCharacters = 500;

/** What is kept of a notification. */
function notificationView({ notification }: ReceivedNotification, at: number): NotificationView {
    if (notification.malformed) return { at, text: cut(notification.raw) };
    const { fields } = notification;
    const device = notifiedDevice(fields);
    return {
        at,
        ...(fields.request !== undefined && { request: cut(fields.request) }),
        ...(device && { typeId: cut(device.typeId), deviceId: cut(device.deviceId) }),
        ...(fields.rc !== undefined && { rc: fields.rc }),
        text: cut(fields.message ?? ""),
        ...(fields.topic !== undefined && { topic: cut(fields.topic) }),
    };
}

function cut(text: string): string {
    return shortened(text, maxCharacters);
}
