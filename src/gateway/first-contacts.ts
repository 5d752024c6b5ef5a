import type { ContactKind, ReconnectReason, Refusal, RegistrationEffects, RegistrationState } from "../devices/registration-types";
import { GatewayError } from "../errors";
import { parseDeviceKey } from "../protocol/identity";

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
    reconnectWanted(reason: ReconnectReason): void;
    deviceChanged(device: string, state: RegistrationState): void;
    unexplainedDrop(): void;
}

/** Brings the outcome of each first contact to the part of the gateway that made it, and wakes all parts. */
export class FirstContacts implements RegistrationEffects {
    constructor(
        private readonly users: Readonly<Record<ContactKind, ContactUser>>,
        private readonly owner: ContactOwner,
    ) {}

    wake(device: string): void {
        for (const user of Object.values(this.users)) user.woken(device);
    }

    contactConfirmed(device: string, kind: ContactKind): void {
        this.users[kind].confirmed(device);
    }

    contactRequeued(device: string, kind: ContactKind): void {
        this.users[kind].requeued(device);
    }

    contactDropped(device: string, kind: ContactKind, refusal: Refusal): void {
        this.users[kind].dropped(device, refusedError(refusal, parseDeviceKey(device), false));
    }

    reconnectWanted(reason: ReconnectReason): void {
        this.owner.reconnectWanted(reason);
    }

    stateChanged(device: string, state: RegistrationState): void {
        this.owner.deviceChanged(device, state);
    }

    unexplainedDrop(): void {
        this.owner.unexplainedDrop();
    }
}

/** What the platform refused, in words: its own, and what becomes of the event. */
export function refusedError(
    refusal: { readonly rc: number | undefined; readonly text: string },
    device: { readonly typeId?: string | undefined; readonly deviceId?: string | undefined },
    willRetry: boolean,
): GatewayError {
    const of = device.typeId !== undefined && device.deviceId !== undefined ? ` of ${device.typeId}/${device.deviceId}` : "";
    const code = refusal.rc === undefined ? "" : ` (return code ${refusal.rc})`;
    const fate = willRetry ? "It is kept and will be sent again." : "It is not sent again.";
    const details = refusal.rc === undefined ? { willRetry } : { rc: refusal.rc, willRetry };
    return new GatewayError(
        "GW_REFUSED",
        `The platform refused a message${of}: ${refusal.text || "it gave no reason"}${code}. ${fate}`,
        details,
    );
}
