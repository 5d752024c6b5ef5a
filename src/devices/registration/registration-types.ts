import type { Clock } from "../../clock";

/**
 * What is sent to a device that is not known: a queued event, an event that is not queued (QoS 0), a SUBSCRIBE for that
 * device alone, or a device management message. Each makes the platform register the device.
 */
export type RegistrationKind = "event" | "direct" | "subscribe" | "management";

/**
 * May this be sent now? `flow`: the device is known. `pending`: send exactly this one as the registration attempt; what follows
 * waits for its outcome. `wait`: keep it until the device is woken.
 */
export type RegistrationAnswer = "flow" | "register" | "wait";

/** Why a device is held back. */
export type HoldReason =
    /** The platform refused to register it and said so. */
    | "refused"
    /** The platform dropped it without a word: it is in a back-off that something else caused, such as another gateway. */
    | "swallowed"
    /** The platform never answered its registration. */
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
    /** The platform's return code and words, where it gave any. */
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
    /** Whether what was refused is kept and will be sent again. */
    readonly willRetry: boolean;
    /** When the device will be tried again (wall clock, milliseconds), where it is held. */
    readonly heldUntil?: number;
    /** The device was known: what was sent to it after the refused event, and acknowledged, has been dropped as well. */
    readonly endsKnown?: true;
    /** It was a registration attempt, and its owner has been told by `drop`. */
    readonly isDropped?: true;
}

/** Why the connection should be made anew: its quota of new devices is used up, or half of the slots are stuck. */
export type ReconnectReason = "connection-limit" | "stuck-registrations";

/** What the registration of devices asks of the rest of the gateway. The calls may come from inside any call to it. */
export interface RegistrationListener {
    /** Whatever waits for this device should ask again. */
    wake(device: string): void;
    /** The registration attempt has succeeded: it is settled, and everything of that device may flow. */
    confirm(device: string, kind: RegistrationKind): void;
    /** The registration attempt did not go through: it goes back to the head of the queue and waits for `wake`. */
    requeue(device: string, kind: RegistrationKind): void;
    /** The registration attempt was refused for what it is, not for its device, or is not queued: it has failed. */
    drop(device: string, kind: RegistrationKind, refusal: Refusal): void;
    /** The platform refuses a device that was known: what is in flight of it will be acknowledged and dropped. */
    recall(device: string): void;
    /** The connection should be ended, when nothing important is under way on it, and made anew. */
    reconnectWanted(reason: ReconnectReason): void;
    /** The device has become known, held or new: to be remembered. */
    stateChanged(device: string, state: RegistrationState): void;
    /** The platform dropped something of a *known* device without a notification; which one cannot be told. */
    unexplainedDrop(): void;
}

/** What the registration of a gateway's devices needs. */
export interface RegistrationOptions {
    readonly clock: Clock;
    readonly listener: RegistrationListener;
    /** The key of the gateway's own device, known from the start. */
    readonly gatewayDevice: string;
    /** Registrations under way at once. */
    readonly registrationLimit: number;
    /** How long the platform does not try again after a failed registration. */
    readonly registrationBackoffMs: number;
}
