import type { ConnectionState } from "../../connection/gateway-connection";
import type { Inventory } from "../../devices/inventory/inventory";
import type { DeviceView } from "../../devices/inventory/inventory-query";
import type { ErrorCode } from "../../errors";
import type { ManagedPhase } from "../../management/managed-devices";
import type { OutboxCounters } from "../../outbox/outbox-counters";
import { deviceKey, mqttClientId } from "../../protocol/identity";
import type { GatewayOptions, OutboxKind, Platform } from "../gateway-options";
import type { DrainProgress, GatewayState } from "../gateway-state";
import type { GatewayStorage, OutboxFile } from "../gateway-storage";
import type { CommandsState } from "../inbound/command";
import type { CertificateView, CertificateWatch } from "./certificate-watch";
import { type GatewayHealth, type HealthReport, waitingByPriority } from "./gateway-health";
import type { GatewayStatistics, GatewayTotals } from "./gateway-statistics";
import type { SilentDevices } from "./silent-devices";

/** The gateway at this moment. */
export function gatewayOverview(deps: OverviewDeps): GatewayOverview {
    const { options, statistics, inventory, silentDevices, certificates, health, storage } = deps;
    const state = deps.state();
    const counters = deps.counters();
    const { file } = storage;
    const { connection, drain, storeProblem } = state;
    return {
        identity: mqttClientId(options.identity),
        clientId: options.clientId,
        platform: options.platform,
        server: `${options.host}:${options.port}`,
        connection: {
            phase: connection.phase,
            since: new Date(statistics.since).toISOString(),
            isWanted: state.isWanted,
            isPaused: state.isPaused,
            ...("reason" in connection && connection.reason && { reason: connection.reason }),
            ...(connection.phase === "waiting" && {
                retryInMs: connection.retryInMs,
                retryAt: new Date(statistics.changedAt + connection.retryInMs).toISOString(),
            }),
        },
        outbox: {
            kind: state.outbox,
            isDegraded: state.isDegraded,
            ...(storeProblem && { problem: { code: storeProblem.code, text: storeProblem.message } }),
            events: counters.queued,
            bytes: counters.queuedBytes,
            ...waitingByPriority(counters),
            maxBytes: options.outboxMaxBytes,
            ...(file && { file }),
            inFlight: counters.inFlight,
            heldBytes: counters.heldBytes,
            waitingDevices: counters.waitingDevices,
            storedTotal: counters.writtenEvents,
            expiredTotal: counters.expired,
            droppedTotal: counters.dropped,
            supersededTotal: counters.superseded,
            undeliverableTotal: counters.undeliverable,
            undelivered: counters.undelivered,
            undeliveredForgottenTotal: counters.undeliveredForgotten,
            ...(drain && { drain }),
        },
        commands: state.commands,
        devices: { remembered: inventory.size, held: state.heldDevices, silent: silentDevices.count },
        totals: statistics.totals(counters),
        certificates: certificates.certificates,
        health: health.read(),
    };
}

/** Why a gateway, its connection or its outbox does not work. */
export interface Problem {
    readonly code: ErrorCode;
    readonly text: string;
}

/** A gateway at one moment, as plain values that can be written as JSON. Contains no secret. Times are ISO 8601. */
export interface GatewayOverview {
    /** Unique in this process, and the client id unless the user chose another. */
    readonly identity: string;
    readonly clientId: string;
    readonly platform: Platform;
    readonly server: string;
    readonly connection: {
        readonly phase: ConnectionState["phase"];
        /** Since when the gateway is online, or is not. */
        readonly since: string;
        /** A connection is to be there. */
        readonly isWanted: boolean;
        /** No events are to be sent. */
        readonly isPaused: boolean;
        readonly reason?: Problem;
        readonly retryInMs?: number;
        /** When the next attempt comes. */
        readonly retryAt?: string;
    };
    readonly outbox: {
        readonly kind: OutboxKind;
        /** A disk outbox was asked for, but this Node.js is too old for it. */
        readonly isDegraded: boolean;
        readonly problem?: Problem;
        readonly events: number;
        readonly bytes: number;
        /** When the oldest of the events entered the outbox; absent when there is none. */
        readonly oldestAt?: string;
        /** The events by priority. */
        readonly high: number;
        readonly normal: number;
        readonly low: number;
        readonly maxBytes: number;
        /** Absent where no event is kept on disk. */
        readonly file?: OutboxFile;
        readonly inFlight: number;
        readonly heldBytes: number;
        /** Devices whose events wait for a registration attempt or for the end of a hold. */
        readonly waitingDevices: number;
        /** Events written to the file, because they could not be acknowledged soon enough. */
        readonly storedTotal: number;
        readonly expiredTotal: number;
        readonly droppedTotal: number;
        /** Events of which a newer one took the place. */
        readonly supersededTotal: number;
        /** Events that were given up because the server closed the connection over them. */
        readonly undeliverableTotal: number;
        /** Events that ended without delivery and are in the list of those; and how many of them gave way to others. */
        readonly undelivered: number;
        readonly undeliveredForgottenTotal: number;
        readonly drain?: DrainProgress;
    };
    readonly commands: CommandsState;
    /** `silent` = for at least one node that watches them. */
    readonly devices: { readonly remembered: number; readonly held: number; readonly silent: number };
    readonly totals: GatewayTotals;
    /** What secures the last connection, the one that ends first at the beginning; none without TLS. */
    readonly certificates: readonly CertificateView[];
    /** As `gateway-notify-in` outputs it. */
    readonly health: HealthReport;
}

/** What an overview is read from. */
export interface OverviewDeps {
    readonly options: GatewayOptions;
    readonly statistics: GatewayStatistics;
    readonly inventory: Inventory;
    readonly silentDevices: SilentDevices;
    readonly certificates: CertificateWatch;
    readonly health: GatewayHealth;
    readonly storage: GatewayStorage;
    state(): GatewayState;
    counters(): OutboxCounters;
}

/** The filters of the list of devices. `refused` = the platform refused a message of the device at least once. */
export const deviceFilters = ["registered", "pending", "held", "refused", "managed", "dormant"] as const;
type DeviceFilter = (typeof deviceFilters)[number];

/** Which devices to list. */
export interface DeviceListQuery {
    /** Part of `typeId/deviceId`, in any case. */
    readonly search: string;
    readonly filter?: DeviceFilter;
    /** From 0. */
    readonly page: number;
}

/** A device in the list. */
interface DeviceRow extends DeviceView {
    readonly management?: ManagedPhase;
}

/** A page of the list. */
export interface DeviceList {
    readonly devices: readonly DeviceRow[];
    /** How many match. */
    readonly total: number;
    readonly page: number;
    readonly pageSize: number;
}

/** A page of the devices, each with its registration and management. Search and filter apply to all devices, not to the page. */
export function listDevices(
    inventory: Inventory,
    managementOf: (device: string) => ManagedPhase | undefined,
    { search, filter, page }: DeviceListQuery,
): DeviceList {
    const list = inventory.query({
        search,
        page,
        ...(filter && { accepts: (device, { phase }, refusals) => isPicked(filter, phase, refusals, () => managementOf(device)) }),
    });
    const devices = list.devices.map((view) => {
        const management = managementOf(deviceKey(view));
        return management ? { ...view, management } : view;
    });
    return { ...list, devices };
}

function isPicked(
    filter: DeviceFilter,
    phase: DeviceView["registration"]["phase"],
    refusals: number,
    management: () => ManagedPhase | undefined,
): boolean {
    switch (filter) {
        case "registered":
            return phase === "known";
        case "pending":
            return phase !== "known" && phase !== "held";
        case "held":
            return phase === "held";
        case "refused":
            return refusals > 0;
        case "managed":
        case "dormant":
            return management() === filter;
    }
}
