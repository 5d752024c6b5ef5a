import type { Investigation } from "./investigation";
import type { Refusal, RegistrationClient, RegistrationKind } from "./registration-types";

/** Where a pending device stands; `PendingDevice` has the table. */
export type PendingDeviceStage = "resting" | "queued" | "granted" | "sent" | "confirming" | "held" | "unanswered";

/** One check of a device, from the place it has to its outcome. Times are monotonic milliseconds. */
export interface Check {
    /** Who sends it; undefined while nobody does, and once that one has withdrawn. */
    readonly client?: RegistrationClient | undefined;
    readonly kind?: RegistrationKind;
    /** Counts the checks of the connection, from 1; 0 until it is sent. */
    readonly sequence: number;
    /** Counts those of counted devices. */
    readonly number?: number | undefined;
    /** Called when it has succeeded. */
    readonly confirmed?: (() => void) | undefined;
    readonly sentMs: number;
    readonly acknowledgedMs: number;
    /** How many checks sent earlier the platform had not answered when it answered this one. */
    readonly otherPending: number;
    /** The platform has not answered for 30 s, although the link works. */
    readonly isSilent: boolean;
    /** A SUBACK did not grant the filter. */
    readonly isRejected: boolean;
    /** A notification that came before the acknowledgement. */
    readonly refusal?: Refusal;
    /** Stray pings that nothing explains came in while it was under way. */
    readonly investigation?: Investigation;
}

/** A check of which nothing is sent yet. */
export const newCheck: Check = { sequence: 0, sentMs: 0, acknowledgedMs: 0, otherPending: 0, isSilent: false, isRejected: false };

/** A registration that a connection cut off, or that was given up, until the platform answers. */
export interface Silence {
    /** A connection has been ended for the sake of this device. */
    readonly isRenewed: boolean;
    /** How often it was given up. */
    readonly count: number;
    /** A check that was given up has not been answered on this connection. */
    readonly isOwed: boolean;
}
