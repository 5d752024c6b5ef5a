import type { Clock, Timer } from "../../clock";
import type { PacketKind } from "../../connection/sent-packet";
import { shortened } from "../../i18n";
import type { RequestView } from "../../management/request-history";
import { parseDeviceKey } from "../../protocol/identity";
import { notifiedDevice } from "../../protocol/notification";
import type { Qos } from "../../protocol/qos";
import { RecentItems } from "../../recent-items";
import type { DeviceManagement } from "../device-management";
import type { ReceivedNotification } from "../events/refusal-handler";
import type { GatewayListeners, PastProblem } from "../gateway-listeners";
import type { CommandOutcome, ReceivedCommand } from "../inbound/command";
import type { SuspectSearch } from "../suspects/suspect-search";
import type { SuspectView } from "../suspects/trials";
import { CommandHistory, type CommandView } from "./command-history";
import {
    type DeviceList,
    type DeviceListQuery,
    type GatewayOverview,
    gatewayOverview,
    listDevices,
    type OverviewDeps,
} from "./gateway-overview";

/** Shows a gateway to an operator: the present, the last hour, the devices, and the latest problems, notifications, requests and commands. */
export class GatewayMonitor {
    readonly #deps: GatewayMonitorDeps;
    readonly #history: GatewayHistory;
    readonly #notifications = new RecentItems<NotificationView>(recentCount);
    readonly #commands = new CommandHistory();

    constructor(deps: GatewayMonitorDeps) {
        this.#deps = deps;
        this.#history = new GatewayHistory(deps.clock, () => this.#sample());
    }

    /** From now on the last hour is remembered. */
    start(): void {
        this.#history.start();
    }

    /** The gateway at this moment. */
    get overview(): GatewayOverview {
        return gatewayOverview(this.#deps);
    }

    /** At most the last hour, the oldest sample first. */
    get history(): readonly HistorySample[] {
        return this.#history.items;
    }

    /** The latest problems of the gateway. */
    get recentProblems(): readonly PastProblem[] {
        return this.#deps.listeners.recentProblems.items;
    }

    /** The latest notifications. */
    get recentNotifications(): readonly NotificationView[] {
        return this.#notifications.items;
    }

    /** The latest device management requests, with their outcomes. */
    get recentRequests(): readonly RequestView[] {
        return this.#deps.management.engine.history.items;
    }

    /** The latest commands, with their outcomes. */
    get recentCommands(): readonly CommandView[] {
        return this.#commands.items;
    }

    /** What is suspected of ending the connection, the next one to be tested first; at most 50. */
    get suspects(): readonly ListedSuspect[] {
        const { clock, search } = this.#deps;
        return search
            .suspects()
            .slice(0, recentCount)
            .map((suspect) => listedSuspect(suspect, clock.now()));
    }

    /** Numbers that change with each of the lists. */
    get listVersions(): ListVersions {
        const requests = this.#deps.management.engine.history.count;
        const suspects = this.#deps.search.changes;
        return { notifications: this.#notifications.count, requests, commands: this.#commands.count, suspects };
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

/** What a monitor watches. */
export interface GatewayMonitorDeps extends OverviewDeps {
    readonly clock: Clock;
    readonly listeners: GatewayListeners;
    readonly management: DeviceManagement;
    readonly search: Pick<SuspectSearch, "suspects" | "changes">;
}

/** Numbers that change when something is added to a list. */
export interface ListVersions {
    readonly notifications: number;
    readonly requests: number;
    readonly commands: number;
    readonly suspects: number;
}

const recentCount = 50;

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

/** Remembers an hour of a gateway, so that a chart shows the time before it was opened. */
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

/** A suspect as it is shown. */
interface ListedSuspect {
    /** Names it in the action that releases it. */
    readonly id: number;
    readonly kind: PacketKind;
    /** The topic or filter, cut to a length that can be shown. */
    readonly name: string;
    readonly typeId?: string;
    readonly deviceId?: string;
    readonly qos: Qos;
    readonly bytes: number;
    readonly strikes: number;
    /** Whether it waits because the connection ended after it. */
    readonly isStruck: boolean;
    /** When it is tested if the connection lasts, ISO 8601. */
    readonly testAt: string;
}

function listedSuspect({ id, packet, strikes, isStruck, dueInMs }: SuspectView, nowMs: number): ListedSuspect {
    const { kind, name, device, qos, bytes } = packet;
    const testAt = new Date(nowMs + dueInMs).toISOString();
    return { id, kind, name: cut(name), ...(device !== undefined && parseDeviceKey(device)), qos, bytes, strikes, isStruck, testAt };
}

const maxCharacters = 500;

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
