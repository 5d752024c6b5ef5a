import { refusalError } from "../../devices/refusals/refusal-error";
import type {
    ReconnectReason,
    Refusal,
    RegistrationKind,
    RegistrationListener,
    RegistrationState,
} from "../../devices/registration/registration-types";
import type { GatewayError } from "../../errors";

/** A part of the gateway that sends things which may be the registration attempt with a device. */
export interface RegistrationClient {
    /** The device may be asked for again. */
    wake(device: string): void;
    /** The registration attempt has succeeded. */
    confirm(device: string): void;
    /** The registration attempt did not go through; try it again when woken. */
    requeue(device: string): void;
    /** The registration attempt itself was refused for good. */
    drop(device: string, error: GatewayError): void;
}

/** What the registration asks of the gateway as a whole. */
export interface RegistrationOwner {
    /** What is in flight of this device is dropped by the platform. */
    recall(device: string): void;
    reconnectWanted(reason: ReconnectReason): void;
    deviceChanged(device: string, state: RegistrationState): void;
    unexplainedDrop(): void;
}

/** Brings the outcome of each registration attempt to the part of the gateway that made it, and wakes all parts. */
export class RegistrationRouter implements RegistrationListener {
    readonly #clients: Readonly<Record<RegistrationKind, RegistrationClient>>;
    readonly #owner: RegistrationOwner;
    constructor(clients: Readonly<Record<RegistrationKind, RegistrationClient>>, owner: RegistrationOwner) {
        this.#clients = clients;
        this.#owner = owner;
    }

    wake(device: string): void {
        for (const client of Object.values(this.#clients)) client.wake(device);
    }

    confirm(device: string, kind: RegistrationKind): void {
        this.#clients[kind].confirm(device);
    }

    requeue(device: string, kind: RegistrationKind): void {
        this.#clients[kind].requeue(device);
    }

    drop(device: string, kind: RegistrationKind, refusal: Refusal): void {
        this.#clients[kind].drop(device, refusalError({ rc: refusal.rc, message: refusal.text }, device, { willRetry: false }));
    }

    recall(device: string): void {
        this.#owner.recall(device);
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
export function madeLater(client: () => RegistrationClient): RegistrationClient {
    return {
        wake: (device) => client().wake(device),
        confirm: (device) => client().confirm(device),
        requeue: (device) => client().requeue(device),
        drop: (device, error) => client().drop(device, error),
    };
}
