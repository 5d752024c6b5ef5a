import type { ConnectionState } from "../connection/gateway-connection";
import type { StorageCondition } from "./gateway-storage";
import type { CommandsState } from "./inbound/command";
import type { LinkCondition } from "./link-control";

/** How fast a backlog shrinks. */
export interface DrainProgress {
    readonly eventsPerS: number;
    readonly remainingMs: number;
}

/** What can be said of a gateway right now; every part of it is measured, none assumed. */
export interface GatewayState extends StorageCondition, LinkCondition {
    readonly connection: ConnectionState;
    readonly commands: CommandsState;
    /** Events waiting to be sent or acknowledged, in memory and on disk. */
    readonly queued: number;
    /** Those of high priority among them that have to wait: with a connection, what is in flight does not. */
    readonly waitingHigh: number;
    /** More events wait than may be in flight. */
    readonly isBacklogged: boolean;
    /** Present while a backlog gets smaller. */
    readonly drain: DrainProgress | undefined;
    /** Devices whose events wait because the platform failed to register them. */
    readonly heldDevices: number;
    /** Devices that are being checked because the platform may have dropped something of them silently. */
    readonly suspectedDevices: number;
    /** The gateway looks for the message at which the server closes the connection. */
    readonly isSearching: boolean;
    /** Devices, topics and filters that wait because the server closed the connection after them. */
    readonly leftOut: number;
    /** Devices whose events wait because the platform does not answer their registration. */
    readonly unansweredDevices: number;
}
