import { isLegalId } from "../client/client-identity";
import type { RegistrationOptions } from "../options";
import { type DeviceName, deviceKey } from "../topic-form";
import { registryMessage } from "./notification";
import type { Registry, RegistryClient } from "./registry";

/** The connection of a gateway, as far as first contacts concern it. */
export interface Contacting extends RegistryClient {
    /** Registrations this connection has started that are not answered. */
    pendingRegistrations: number;
    /** Devices this connection was the first to bring; the gateway itself counts. */
    checkedDevices: number;
    /** The connection has ended: what waited on it is lost. */
    readonly gone: boolean;
}

/** Why a device was refused. In the back-off nobody is told. */
export type ContactRefusal = { rc: number; message: string } | "in-backoff";

type Answer = (refusal: ContactRefusal | undefined) => void;

interface Waiting {
    contacting: Contacting;
    answer: Answer;
}

interface Pending {
    state: "pending";
    waiting: Waiting[];
}

type Entry = { state: "known" } | { state: "backoff"; untilMs: number } | Pending;

const known: Entry = { state: "known" };

/**
 * What the front end remembers of the devices it has asked the registry about. One memory for all gateways and connections:
 * a device refused to one gateway is in back-off for all of them, and reconnecting changes nothing.
 */
export class FirstContacts {
    readonly #registry: Registry;
    readonly #options: Required<RegistrationOptions>;
    readonly #entries = new Map<string, Entry>();
    readonly #pending = new Set<Pending>();

    constructor(registry: Registry, options: Required<RegistrationOptions>) {
        this.#registry = registry;
        this.#options = options;
    }

    /** Whether messages of the device need no further question. */
    isKnown(device: DeviceName): boolean {
        return this.#entries.get(deviceKey(device)) === known;
    }

    /** Ends the back-off of a device, or of all, and forgets that it was accepted. */
    forget(device?: DeviceName): void {
        if (device) this.#entries.delete(deviceKey(device));
        else this.#entries.clear();
    }

    /**
     * Settles whether the gateway may act for the device. A device that is known or refused is answered at once; one that is
     * being asked about makes its messages wait in their order, other devices go on.
     */
    settle(contacting: Contacting, device: DeviceName, answer: Answer): void {
        const key = deviceKey(device);
        const entry = this.#entries.get(key);
        if (entry === known) {
            answer(undefined);
        } else if (entry?.state === "backoff" && entry.untilMs > performance.now()) {
            answer("in-backoff");
        } else if (entry?.state === "pending") {
            entry.waiting.push({ contacting, answer });
        } else {
            this.#begin(contacting, device, key, answer);
        }
    }

    /** A connection has ended: nothing that waited on it may hold memory. */
    abandon(contacting: Contacting): void {
        for (const entry of this.#pending) entry.waiting = entry.waiting.filter((waiting) => waiting.contacting !== contacting);
    }

    #begin(contacting: Contacting, device: DeviceName, key: string, answer: Answer): void {
        if (!isLegalId(device.typeId) || !isLegalId(device.deviceId)) {
            this.#refuse(key, 276, [{ contacting, answer }]);
            return;
        }
        const { maxPending, maxPerConnection } = this.#options;
        if (contacting.pendingRegistrations >= maxPending || contacting.checkedDevices >= maxPerConnection) {
            this.#refuse(key, 173, [{ contacting, answer }]);
            return;
        }
        contacting.pendingRegistrations++;
        contacting.checkedDevices++;
        const entry: Pending = { state: "pending", waiting: [{ contacting, answer }] };
        this.#entries.set(key, entry);
        this.#pending.add(entry);
        this.#registry.ask(contacting, device, (rc) => {
            contacting.pendingRegistrations--;
            this.#pending.delete(entry);
            if (this.#entries.get(key) !== entry) return;
            if (rc !== undefined) {
                this.#refuse(key, rc, entry.waiting);
                return;
            }
            this.#entries.set(key, known);
            for (const waiting of entry.waiting) {
                if (!waiting.contacting.gone) waiting.answer(undefined);
            }
        });
    }

    #refuse(key: string, rc: number, waiting: readonly Waiting[]): void {
        this.#makeRoom();
        this.#entries.set(key, { state: "backoff", untilMs: performance.now() + this.#options.backoffMs });
        const refusal = { rc, message: registryMessage(rc) };
        waiting.forEach(({ contacting, answer }, index) => {
            if (!contacting.gone) answer(index === 0 ? refusal : "in-backoff");
        });
    }

    /** A client that invents ids may not fill the memory: expired back-offs go, then, if need be, all of them. */
    #makeRoom(): void {
        const limit = this.#options.maxDevices + 10_000;
        if (this.#entries.size < limit) return;
        const now = performance.now();
        for (const [key, entry] of this.#entries) {
            if (entry.state === "backoff" && entry.untilMs <= now) this.#entries.delete(key);
        }
        for (const [key, entry] of this.#entries) {
            if (this.#entries.size < limit) return;
            if (entry.state === "backoff") this.#entries.delete(key);
        }
    }
}
