import { compilePattern, type Faults } from "../faults";
import type { RegistrationOptions, RegistrationRule, SimulatorEvent } from "../options";
import type { Timers } from "../timers";
import { type DeviceName, deviceKey } from "../topic-form";

/** The types, devices and gateways of one organisation, and the decision whether a gateway may create one more. */
export class Registry {
    readonly #types = new Set<string>();
    readonly #devices = new Map<string, DeviceRecord>();
    readonly #createdCounts = new Map<string, number>();
    readonly #rights = new Map<string, GatewayRights>();
    readonly #options: Required<RegistrationOptions>;
    readonly #rules: CompiledRule[];
    readonly #faults: Faults;
    readonly #timers: Timers;
    readonly #onEvent: (event: SimulatorEvent) => void;

    constructor(options: Required<RegistrationOptions>, faults: Faults, timers: Timers, onEvent: (event: SimulatorEvent) => void) {
        this.#options = options;
        this.#rules = options.rules.map((rule) => ({ ...rule, matches: compilePattern(rule.devices) }));
        this.#faults = faults;
        this.#timers = timers;
        this.#onEvent = onEvent;
    }

    /** The device types there are. */
    get types(): readonly string[] {
        return [...this.#types];
    }

    /** How many devices and gateways there are. */
    get size(): number {
        return this.#devices.size;
    }

    /** Whether the organisation holds as many devices as it may. */
    get isFull(): boolean {
        return this.#devices.size >= this.#options.maxDevices;
    }

    /** The device, if it is registered. */
    device(typeId: string, deviceId: string): DeviceRecord | undefined {
        return this.#devices.get(deviceKey({ typeId, deviceId }));
    }

    /** Every registered device and gateway. */
    devices(): IterableIterator<DeviceRecord> {
        return this.#devices.values();
    }

    /** Registers a device, as an administrator would; an existing one stays as it is. */
    register(typeId: string, deviceId: string, createdBy?: string): DeviceRecord {
        const key = deviceKey({ typeId, deviceId });
        const existing = this.#devices.get(key);
        if (existing) return existing;
        const record: DeviceRecord = { typeId, deviceId, disabled: false, ...(createdBy === undefined ? {} : { createdBy }) };
        this.#types.add(typeId);
        this.#devices.set(key, record);
        if (createdBy !== undefined) this.#createdCounts.set(createdBy, (this.#createdCounts.get(createdBy) ?? 0) + 1);
        return record;
    }

    /** Disables a device or gateway, which is registered if need be, or enables it again. */
    setDisabled(typeId: string, deviceId: string, disabled: boolean): void {
        this.register(typeId, deviceId).disabled = disabled;
    }

    /** Removes a device from the registry. */
    remove(typeId: string, deviceId: string): void {
        this.#devices.delete(deviceKey({ typeId, deviceId }));
    }

    /** Sets what a gateway may do, from its next connection on. */
    setRights(typeId: string, deviceId: string, rights: Partial<GatewayRights>): void {
        this.#rights.set(deviceKey({ typeId, deviceId }), { ...this.rights(typeId, deviceId), ...rights });
    }

    /** What a gateway may do; by default it is privileged and may act for every device. */
    rights(typeId: string, deviceId: string): GatewayRights {
        return this.#rights.get(deviceKey({ typeId, deviceId })) ?? { role: "privileged" };
    }

    /** Asks whether the gateway may act for a device, and creates the device if that is allowed. */
    ask(client: RegistryClient, device: DeviceName, answer: (rc: number | undefined) => void): void {
        const key = deviceKey(device);
        const rule = this.#faults.take("registration", client.clientId, key) ?? this.#rules.find(({ matches }) => matches(key));
        if (rule?.never) return;
        this.#timers.after(rule?.delayMs ?? this.#options.delayMs, () => answer(rule?.rc ?? this.#decide(client, device)));
    }

    #decide({ clientId, rights }: RegistryClient, device: DeviceName): number | undefined {
        const key = deviceKey(device);
        const existing = this.#devices.get(key);
        if (existing) return existing.disabled ? 180 : undefined;
        if (rights.role === "standard") return 180;
        if ((this.#createdCounts.get(clientId) ?? 0) >= this.#options.maxDevicesPerGateway) return 173;
        if (this.isFull) return 177;
        this.register(device.typeId, device.deviceId, clientId);
        this.#onEvent({ event: "registered", clientId, device: key });
        if (this.#options.joinsGroup) rights.group?.add(key);
        return undefined;
    }
}

/** What a gateway may do and how it proves who it is. */
export interface GatewayRights {
    /** A privileged gateway creates devices, a standard one does not. */
    role: "privileged" | "standard";
    /** The devices (`typeId/deviceId`) it may act for; absent = every device of the organisation. */
    group?: Set<string>;
    /** Its own token; absent = the token of the options, if any. */
    token?: string;
}

/** A registered device or gateway. */
export interface DeviceRecord extends DeviceName {
    disabled: boolean;
    /** Client id of the gateway whose first message for the device created it. */
    createdBy?: string;
}

/** The gateway on whose behalf the registry is asked. */
export interface RegistryClient {
    clientId: string;
    rights: GatewayRights;
}

interface CompiledRule extends RegistrationRule {
    matches: (device: string) => boolean;
}
