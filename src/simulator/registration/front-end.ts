import { isLegalId } from "../client/client-identity";
import type { RegistrationOptions } from "../options";
import type { Timers } from "../timers";
import { type DeviceName, deviceKey } from "../topic-form";
import { registryMessage } from "./notification";
import type { Registry, RegistryClient } from "./registry";

/** A device whose messages pass, in place of the end of its back-off. */
const passes = 0;

/**
 * The memory of a front-end process: the devices that it has checked with the registry. It begins empty, so after a restart every
 * device is checked again. All gateways and connections share it: a device that was refused to one gateway is in back-off for all
 * of them, and reconnecting changes nothing.
 *
 * | a device is | from | its messages |
 * |---|---|---|
 * | unchecked | the start of the process | the first one begins a check |
 * | pending | the first message, for the client that sent it | wait in order; other devices are not delayed |
 * | accepted | the registry's answer; for other clients from the first message on | pass |
 * | in back-off | a refusal, for `backoffMs` | are dropped; only the refused one is notified |
 *
 * A pending check outlives its connection. What the next connection of the client sends for the device is dropped with what the
 * first one sent; once the registry has answered, the device is accepted.
 */
export class FrontEnd {
    readonly #registry: Registry;
    readonly #options: Required<RegistrationOptions>;
    readonly #timers: Timers;
    /** By device: when its back-off ends, or `passes`. */
    readonly #devices = new Map<string, number>();
    /** By device and client id. */
    readonly #pending = new Map<string, PendingCheck>();

    constructor(registry: Registry, options: Required<RegistrationOptions>, timers: Timers) {
        this.#registry = registry;
        this.#options = options;
        this.#timers = timers;
    }

    /** Begins the checks of one connection. */
    connect(client: RegistryClient): DeviceChecks {
        return new DeviceChecks(this, client);
    }

    /** Forgets a device, or all: back-offs end, and the next message begins a check. Messages that wait stay unanswered. */
    forget(device?: DeviceName): void {
        if (!device) {
            this.#devices.clear();
            this.#pending.clear();
            return;
        }
        const key = deviceKey(device);
        this.#devices.delete(key);
        for (const [pendingKey, pending] of this.#pending) if (pending.device === key) this.#pending.delete(pendingKey);
    }

    /** Puts a device into the back-off, as the refusal of another gateway's message does. */
    backOff(device: DeviceName): void {
        this.#backOff(deviceKey(device));
    }

    /** Decides whether the connection may act for the device: at once, or when the registry has answered. */
    check(checks: DeviceChecks, device: DeviceName, answer: Answer): void {
        const key = deviceKey(device);
        const pending = this.#pending.get(pendingKeyOf(key, checks.client));
        const untilMs = this.#devices.get(key);
        if (pending) pending.append(answer);
        else if (untilMs === passes) answer(undefined);
        else if (untilMs !== undefined && untilMs > this.#timers.monotonicMs()) answer("in-back-off");
        else this.#begin(checks, device, key, answer);
    }

    #begin(checks: DeviceChecks, device: DeviceName, key: string, answer: Answer): void {
        if (!isLegalId(device.typeId) || !isLegalId(device.deviceId)) {
            this.#backOff(key);
            answer(refusalOf(276));
            return;
        }
        const pending = checks.begin(key, answer, this.#options);
        if (!pending) {
            this.#backOff(key);
            answer(refusalOf(173));
            return;
        }
        const pendingKey = pendingKeyOf(key, checks.client);
        this.#pending.set(pendingKey, pending);
        this.#devices.set(key, passes);
        this.#registry.ask(checks.client, device, (rc) => {
            checks.finish(pending, rc === undefined);
            if (this.#pending.get(pendingKey) !== pending) return;
            this.#pending.delete(pendingKey);
            if (rc === undefined) this.#devices.set(key, passes);
            else this.#backOff(key);
            pending.settle(rc === undefined ? undefined : refusalOf(rc));
        });
    }

    #backOff(key: string): void {
        this.#makeRoom();
        this.#devices.set(key, this.#timers.monotonicMs() + this.#options.backoffMs);
    }

    /** A client that invents ids must not fill the memory: expired back-offs go first, then all of them if need be. */
    #makeRoom(): void {
        const limit = this.#options.maxDevices + 10_000;
        if (this.#devices.size < limit) return;
        const now = this.#timers.monotonicMs();
        for (const [key, untilMs] of this.#devices) {
            if (untilMs !== passes && untilMs <= now) this.#devices.delete(key);
        }
        for (const [key, untilMs] of this.#devices) {
            if (this.#devices.size < limit) return;
            if (untilMs !== passes) this.#devices.delete(key);
        }
    }
}

/** The checks of one connection. Pending and accepted devices are limited; a refused one takes no place. */
export class DeviceChecks {
    readonly client: RegistryClient;
    readonly #frontEnd: FrontEnd;
    readonly #pending = new Set<PendingCheck>();
    /** The gateway itself counts. */
    #accepted = 1;

    constructor(frontEnd: FrontEnd, client: RegistryClient) {
        this.#frontEnd = frontEnd;
        this.client = client;
    }

    /** Decides whether the gateway may act for the device: at once, or when the registry has answered. */
    check(device: DeviceName, answer: Answer): void {
        this.#frontEnd.check(this, device, answer);
    }

    /** The connection has ended. Its messages are lost, but its checks stay pending. */
    end(): void {
        for (const pending of this.#pending) pending.abandon();
    }

    /** Begins a check; `undefined` when the connection has too many pending devices, or too many altogether. */
    begin(device: string, answer: Answer, { maxPending, maxPerConnection }: Required<RegistrationOptions>): PendingCheck | undefined {
        if (this.#pending.size >= maxPending || this.#pending.size + this.#accepted >= maxPerConnection) return undefined;
        const pending = new PendingCheck(device, answer);
        this.#pending.add(pending);
        return pending;
    }

    /** The registry has answered. */
    finish(pending: PendingCheck, isAccepted: boolean): void {
        this.#pending.delete(pending);
        if (isAccepted) this.#accepted++;
    }
}

/** Why a message is dropped. In the back-off there is no notification. */
export type DeviceRefusal = { rc: number; message: string } | "in-back-off";

/** Called with the refusal, or `undefined` when the gateway may act for the device. */
export type Answer = (refusal: DeviceRefusal | undefined) => void;

/** A check that the registry has not answered, with the messages that wait for it. */
class PendingCheck {
    readonly device: string;
    #waiting: Answer[];
    #isAbandoned = false;

    constructor(device: string, answer: Answer) {
        this.device = device;
        this.#waiting = [answer];
    }

    /** Adds a message. After the connection that began the check has ended, a message of a later one is dropped. */
    append(answer: Answer): void {
        if (!this.#isAbandoned) this.#waiting.push(answer);
    }

    /** Drops what waits, because the connection has ended. */
    abandon(): void {
        this.#isAbandoned = true;
        this.#waiting = [];
    }

    /** Passes the registry's answer to everything that waits. Of a refusal only the first message is notified. */
    settle(refusal: DeviceRefusal | undefined): void {
        this.#waiting.forEach((answer, index) => {
            if (!this.#isAbandoned) answer(refusal && index > 0 ? "in-back-off" : refusal);
        });
    }
}

function pendingKeyOf(device: string, { clientId }: RegistryClient): string {
    return `${device} ${clientId}`;
}

function refusalOf(rc: number): DeviceRefusal {
    return { rc, message: registryMessage(rc) };
}
