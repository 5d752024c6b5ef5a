import type { Clock } from "../../clock";
import type { GatewayError } from "../../errors";
import type { StrayInterval } from "./stray-pings";

/**
 * The first thing sent to a device that is not checked on this connection is its *check*: a queued event (`high` for one of
 * high priority), an event that is not queued (QoS 0), a SUBSCRIBE for that device alone, or a device management message.
 * Each makes the platform register the device, or look it up.
 */
export type RegistrationKind = "event" | "high" | "direct" | "subscribe" | "management";

/**
 * May this be sent now? `flow`: the device is checked. `check`: send exactly this one; what follows waits for its outcome.
 * `wait`: keep it until the device is woken.
 */
export type RegistrationAnswer = "flow" | "check" | "wait";

/**
 * Something that waits for its device. The calls may come from inside any call to the registration; after each of them the
 * device may be asked for again.
 */
export interface RegistrationClient {
    /** Ask again, or withdraw: the answer may be another one now. */
    wake(device: string): void;
    /** The check has succeeded: it is settled, and the device flows. */
    confirm(device: string): void;
    /** The check did not go through: it is kept where its sender keeps it, and waits for `wake`. */
    requeue(device: string): void;
    /** The check itself was refused for good. */
    drop(device: string, error: GatewayError): void;
}

/** Why a device is held back. */
export type HoldReason =
    /** The platform refused to register it and said so. */
    | "refused"
    /** The platform dropped it silently: it is in a back-off that something else caused, such as another gateway. */
    | "swallowed"
    /** The platform never answered its registration. Only in files of earlier versions. */
    | "unanswered"
    /** The platform takes no more new devices on one connection. */
    | "connection-limit";

/** Where a device stands. */
export type RegistrationPhase = "new" | "waiting" | "contacting" | "unanswered" | "unconfirmed" | "held" | "known";

/** A device's standing, for a status, the inventory and the admin panel. */
export interface RegistrationState {
    readonly phase: RegistrationPhase;
    /** Only of a held device. */
    readonly hold?: Hold;
}

/** A hold; a hold that is over stays until the next event, which is the probe. */
export interface Hold {
    readonly reason: HoldReason;
    /** Wall clock, milliseconds since the epoch. */
    readonly until: number;
    /** How often in a row this device could not be registered. */
    readonly failures: number;
    /** The platform's return code and text, where it gave any. */
    readonly rc?: number;
    readonly text?: string;
}

/** What a notification says about one device. */
export interface Refusal {
    readonly rc: number;
    readonly request: string;
    readonly text: string;
    /** Whether the notification carried the device's ids: the platform then tried to register it and is in back-off. */
    readonly registration: boolean;
}

/** What became of a refusal. */
export interface RefusalVerdict {
    /** Whether the refused message is kept and will be sent again. */
    readonly willRetry: boolean;
    /** When the device will be tried again (wall clock, milliseconds), where it is held. */
    readonly heldUntil?: number;
    /**
     * The device was flowing: what it sent meanwhile has been dropped as well, and the outbox has to take it back. `all`: the
     * refused message too, where it is still kept; `others`: that one has failed for good.
     */
    readonly recalls?: "all" | "others";
    /** It was a check, and its client has been given the error by `drop`. */
    readonly isDropped?: true;
}

/**
 * Why the connection should be ended and opened again: its quota of counted devices is used up, half of the places are
 * stuck, or registrations that the last connection cut off are not answered on this one.
 */
export type ReconnectReason = "connection-limit" | "stuck-registrations" | "cut-off-registrations";

/** What the registration of devices asks of the rest of the gateway. The calls may come from inside any call to it. */
export interface RegistrationListener {
    /** The connection should be ended, when nothing important is under way on it, and opened again. */
    reconnectWanted(reason: ReconnectReason): void;
    /** The device has become known, held or new: to be remembered. */
    stateChanged(device: string, state: RegistrationState): void;
    /** The platform dropped something silently that was no check: `suspect` the devices that it may have been. */
    unexplainedDrop(strays: StrayInterval): void;
    /** A suspect has passed its check. */
    cleared(device: string): void;
    /** A suspect was guilty: the platform has dropped everything of it since. The device is held. */
    convicted(device: string, heldUntil: number): void;
    /** What is not settled of the device may have been dropped: it is taken back. */
    recall(device: string): void;
    /** The platform does not answer the registration of this device; said once until it does. */
    unanswered(device: string): void;
    /** The server has shown for the first time that it registers devices. */
    signGiven(): void;
    /** The link is to be tried: `answered` is called at the answer, unless the connection ends first. */
    pingWanted(answered: () => void): void;
}

/** What the registration of a gateway's devices needs. */
export interface RegistrationOptions {
    readonly clock: Clock;
    /** The key of the gateway's own device, known from the start. */
    readonly gatewayDevice: string;
    /** Checks under way at once. */
    readonly registrationLimit: number;
    /** How long the platform does not try again after a failed registration. */
    readonly registrationBackoffMs: number;
    /**
     * Whether the server registers devices: the platform does; of an own broker it is not known until a notification or a
     * stray ping came from it. Until then all devices flow without checks, and no limit of devices per connection is assumed.
     */
    readonly isRegistering: boolean;
}
