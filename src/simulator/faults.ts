import { isObject } from "./json";
import type { RegistrationRule } from "./options";

/** The faults that are switched on. */
export class Faults {
    readonly #active = new Set<ActiveFault>();

    /** Switches a fault on. Returns a function that switches it off. */
    add(fault: Fault): () => void {
        const active: ActiveFault = {
            fault,
            left: fault.times ?? Number.POSITIVE_INFINITY,
            matchesClient: compilePattern(("device" in fault ? fault.device : fault.clientId) ?? "*"),
            matchesTopic: compilePattern((fault.fault === "registration" ? fault.devices : fault.topic) ?? "*"),
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

    /** Switches off the faults that the predicate selects. Returns how many. */
    remove(isSelected: (fault: Fault) => boolean): number {
        const removed = [...this.#active].filter(({ fault }) => isSelected(fault));
        for (const active of removed) this.#active.delete(active);
        return removed.length;
    }

    /** Switches every fault off. */
    clear(): void {
        this.#active.clear();
    }

    /** The first fault of that name that matches the client (or device) and the topic; uses up one of its times. */
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

    #find(name: FaultName, clientId: string, topic: string): ActiveFault | undefined {
        for (const active of this.#active) {
            if (active.fault.fault === name && active.matchesClient(clientId) && active.matchesTopic(topic)) return active;
        }
        return undefined;
    }
}

/** What a fault affects, and how often. `*` in a pattern stands for any characters. Absent = everything, always. */
export interface FaultScope {
    clientId?: string;
    /** Pattern over the topic of a PUBLISH or the filter of a SUBSCRIBE; other faults ignore it unless they say otherwise. */
    topic?: string;
    times?: number;
}

/** A misbehaviour that the simulator can be given. `fieldsByFault` lists its fields for the HTTP API. */
export type Fault = FaultScope &
    (
        | { fault: "withholdPuback" }
        | { fault: "delayPuback"; delayMs: number }
        /** The publish is acknowledged, dropped and notified with this code, even for a known device. */
        | { fault: "refusePublish"; rc: number; message?: string }
        /** SUBACK 0x80, without a notification. */
        | { fault: "refuseSubscribe" }
        | { fault: "withholdSuback" }
        | { fault: "refuseConnect"; returnCode: number }
        /** The connection is closed in place of the answer to its n-th packet, CONNECT included. */
        | { fault: "closeAfter"; packets: number }
        /** The client's packets are read and discarded; nothing is answered or delivered. */
        | { fault: "blackHole" }
        /** A message for a matching client waits in the queue of its filter; `topic` is the message's, with its device. */
        | { fault: "delayDelivery"; delayMs: number }
        /** The `DE 00` of dropped messages are held back for `delayMs` from the first one, then sent as one run. */
        | { fault: "delayStrayPings"; delayMs: number }
        /** The notification of a refusal is not sent; `topic` is the one that it would name. */
        | { fault: "loseNotification" }
        /** The notification of a refusal has no `Message`; `topic` is the one that it names. */
        | { fault: "notificationWithoutMessage" }
        /** Two stray bytes `DE 00` before the acknowledgement of each matching publish. */
        | { fault: "strayPing" }
        /** The device-management server's answer to a request of a matching device; `topic` is what follows the device. */
        | { fault: "management"; device?: string; rc?: number; delayMs?: number; never?: boolean }
        /** A request to a matching device is sent twice, as after a lost acknowledgement; `topic` is what follows the device. */
        | { fault: "repeatRequest"; device?: string }
        /** The registry's answer for matching devices. */
        | ({ fault: "registration" } & RegistrationRule)
    );

/** The name of a fault. */
export type FaultName = Fault["fault"];

type FieldType = "string" | "number" | "boolean";

const scopeFields: Record<string, FieldType> = { clientId: "string", topic: "string", times: "number" };

/** The required and optional fields of each fault, besides its scope. */
const fieldsByFault: Readonly<Record<FaultName, { required?: Record<string, FieldType>; optional?: Record<string, FieldType> }>> = {
    withholdPuback: {},
    delayPuback: { required: { delayMs: "number" } },
    refusePublish: { required: { rc: "number" }, optional: { message: "string" } },
    refuseSubscribe: {},
    withholdSuback: {},
    refuseConnect: { required: { returnCode: "number" } },
    closeAfter: { required: { packets: "number" } },
    blackHole: {},
    delayDelivery: { required: { delayMs: "number" } },
    delayStrayPings: { required: { delayMs: "number" } },
    loseNotification: {},
    notificationWithoutMessage: {},
    strayPing: {},
    registration: { required: { devices: "string" }, optional: { rc: "number", delayMs: "number", never: "boolean" } },
    management: { optional: { device: "string", rc: "number", delayMs: "number", never: "boolean" } },
    repeatRequest: { optional: { device: "string" } },
};

/** Whether a parsed JSON value is a fault, with its fields of the right types and no others. */
export function isFault(value: unknown): value is Fault {
    if (!isObject(value)) return false;
    const { fault, ...fields } = value;
    const known = Object.entries(fieldsByFault).find(([name]) => name === fault)?.[1];
    if (!known) return false;
    const { required = {}, optional = {} } = known;
    const types: Record<string, FieldType> = { ...scopeFields, ...optional, ...required };
    const isTyped = Object.entries(fields).every(([name, field]) => Object.hasOwn(types, name) && typeof field === types[name]);
    return isTyped && Object.keys(required).every((name) => name in fields);
}

interface ActiveFault {
    fault: Fault;
    left: number;
    matchesClient: (clientId: string) => boolean;
    matchesTopic: (topic: string) => boolean;
}

function isNamed<Name extends FaultName>(fault: Fault, name: Name): fault is Extract<Fault, { fault: Name }> {
    return fault.fault === name;
}

/** A test for strings from a pattern in which `*` stands for any characters; everything else is literal. */
export function compilePattern(pattern: string): (value: string) => boolean {
    const source = pattern
        .split("*")
        .map((literal) => literal.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
        .join(".*");
    const expression = new RegExp(`^${source}$`, "su");
    return (value) => expression.test(value);
}
