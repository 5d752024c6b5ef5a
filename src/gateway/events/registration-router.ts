import { refusalError } from "../../devices/refusals/refusal-error";
import type {
    ContactKind,
    ReconnectReason,
    Refusal,
    RegistrationEffects,
    RegistrationState,
} from "../../devices/registration/registration-types";
import type { GatewayError } from "../../errors";

/** A part of the gateway that sends things which may be the first contact with a device. */
export interface ContactUser {
    /** The device may be asked for again. */
    woken(device: string): void;
    /** The first contact has succeeded. */
    confirmed(device: string): void;
    /** The first contact did not go through; try it again when woken. */
    requeued(device: string): void;
    /** The first contact itself was refused for good. */
    dropped(device: string, error: GatewayError): void;
}

/** What the registration asks of the gateway as a whole. */
export interface ContactOwner {
    /** What is in flight of this device is dropped by the platform. */
    knownRefused(device: string): void;
    reconnectWanted(reason: ReconnectReason): void;
    deviceChanged(device: string, state: RegistrationState): void;
    unexplainedDrop(): void;
}

/** Brings the outcome of each first contact to the part of the gateway that made it, and wakes all parts. */
export class FirstContacts implements RegistrationEffects {
    readonly #users: Readonly<Record<ContactKind, ContactUser>>;
    readonly #owner: ContactOwner;
    constructor(users: Readonly<Record<ContactKind, ContactUser>>, owner: ContactOwner) {
        this.#users = users;
        this.#owner = owner;
    }

    wake(device: string): void {
        for (const user of Object.values(this.#users)) user.woken(device);
    }

    contactConfirmed(device: string, kind: ContactKind): void {
        this.#users[kind].confirmed(device);
    }

    contactRequeued(device: string, kind: ContactKind): void {
        this.#users[kind].requeued(device);
    }

    contactDropped(device: string, kind: ContactKind, refusal: Refusal): void {
        this.#users[kind].dropped(device, refusalError({ rc: refusal.rc, message: refusal.text }, device, { willRetry: false }));
    }

    knownRefused(device: string): void {
        this.#owner.knownRefused(device);
    }

    reconnectWanted(reason: ReconnectReason): void {
        this.#owner.reconnectWanted(reason);
    }

    stateChanged(device: string, state: RegistrationState): void {
        this.#owner.deviceChanged(device, state);
    }

    unexplainedDrop(): void {
        this.#owner.unexplainedDrop();
    }
}

/** A user that exists only when it is first told something, because the parts of a gateway know each other in a circle. */
export function madeLater(user: () => ContactUser): ContactUser {
    return {
        woken: (device) => user().woken(device),
        confirmed: (device) => user().confirmed(device),
        requeued: (device) => user().requeued(device),
        dropped: (device, error) => user().dropped(device, error),
    };
}
