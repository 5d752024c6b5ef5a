import type { RegistrationRule } from "./options";
import { compilePattern } from "./pattern";

/** Whom a fault concerns and how often; `*` in a pattern stands for any characters. Absent = everyone, everything, always. */
export interface FaultScope {
    clientId?: string;
    /** Pattern over the topic of a PUBLISH or the filter of a SUBSCRIBE; not used by the other faults. */
    topic?: string;
    times?: number;
}

/** What the simulator can be told to do wrong. */
export type Fault = FaultScope &
    (
        | { fault: "withholdPuback" }
        | { fault: "delayPuback"; delayMs: number }
        /** The publish is acknowledged, dropped and notified with this code, also for a known device. */
        | { fault: "refusePublish"; rc: number; message?: string }
        /** SUBACK 0x80, without a notification. */
        | { fault: "refuseSubscribe" }
        | { fault: "withholdSuback" }
        | { fault: "refuseConnect"; returnCode: number }
        /** The connection is closed in place of the answer to its n-th packet, CONNECT included. */
        | { fault: "closeAfter"; packets: number }
        /** Everything the client sends is read and forgotten, nothing is answered, nothing is delivered. */
        | { fault: "blackHole" }
        /** Two stray bytes `DE 00` before the acknowledgement of each matching publish. */
        | { fault: "strayPing" }
        /** What the device-management server does with a request of a matching device; `topic` is what follows the device. */
        | { fault: "management"; device?: string; rc?: number; delayMs?: number; never?: boolean }
        /** A request to a matching device is sent twice, as after a lost acknowledgement; `topic` is what follows the device. */
        | { fault: "repeatRequest"; device?: string }
        /** The registry's answer to the first contact with matching devices. */
        | ({ fault: "registration" } & RegistrationRule)
    );

/** The name of a fault. */
export type FaultName = Fault["fault"];

interface Active {
    fault: Fault;
    left: number;
    concernsClient: (clientId: string) => boolean;
    concernsTopic: (topic: string) => boolean;
}

/** The faults that are switched on. */
export class Faults {
    readonly #active = new Set<Active>();

    /** Switches a fault on; returns what switches it off again. */
    add(fault: Fault): () => void {
        const active: Active = {
            fault,
            left: fault.times ?? Number.POSITIVE_INFINITY,
            concernsClient: compilePattern(("device" in fault ? fault.device : fault.clientId) ?? "*"),
            concernsTopic: compilePattern((fault.fault === "registration" ? fault.devices : fault.topic) ?? "*"),
        };
        this.#active.add(active);
        return () => this.#active.delete(active);
    }

    /** Whether no fault is switched on. */
    get isEmpty(): boolean {
        return this.#active.size === 0;
    }

    /** The faults that are switched on, with the times that are left. */
    list(): Fault[] {
        return [...this.#active].map(({ fault, left }) => (Number.isFinite(left) ? { ...fault, times: left } : fault));
    }

    /** Switches off the faults for which `fits` says so; returns how many. */
    remove(fits: (fault: Fault) => boolean): number {
        const removed = [...this.#active].filter(({ fault }) => fits(fault));
        for (const active of removed) this.#active.delete(active);
        return removed.length;
    }

    /** Switches every fault off. */
    clear(): void {
        this.#active.clear();
    }

    /** The first fault of that name that concerns the client (or device) and the topic; uses up one of its times. */
    take<Name extends FaultName>(name: Name, clientId: string, topic = ""): Extract<Fault, { fault: Name }> | undefined {
        const active = this.#find(name, clientId, topic);
        if (!active) return undefined;
        active.left--;
        if (active.left <= 0) this.#active.delete(active);
        return isNamed(active.fault, name) ? active.fault : undefined;
    }

    /** The same, without using up one of its times. */
    peek<Name extends FaultName>(name: Name, clientId: string, topic = ""): Extract<Fault, { fault: Name }> | undefined {
        const fault = this.#find(name, clientId, topic)?.fault;
        return fault && isNamed(fault, name) ? fault : undefined;
    }

    #find(name: FaultName, clientId: string, topic: string): Active | undefined {
        for (const active of this.#active) {
            if (active.fault.fault === name && active.concernsClient(clientId) && active.concernsTopic(topic)) return active;
        }
        return undefined;
    }
}

function isNamed<Name extends FaultName>(fault: Fault, name: Name): fault is Extract<Fault, { fault: Name }> {
    return fault.fault === name;
}
