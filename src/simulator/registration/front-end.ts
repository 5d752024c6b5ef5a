import { isLegalId } from "../client/client-identity";
import type { RegistrationOptions } from "../options";
import type { Timers } from "../timers";
import { type DeviceName, deviceKey } from "../topic-form";
import { registryMessage } from "./notification";
import type { Registry, RegistryClient } from "./registry";

/**
 * The memory of a front-end process: the devices that it has checked with the registry. All gateways and connections share it,
 * so a device that was refused to one gateway is in back-off for all of them, and reconnecting changes nothing.
 *
 * | a device is | from | its messages |
 * |---|---|---|
 * | unchecked | the start | the first one begins a check |
 * | pending | the first message | wait in order; other devices are not delayed |
 * | accepted | the registry's answer | pass |
 * | in back-off | a refusal, for `backoffMs` | are dropped; only the refused one is notified |
 */
export class FrontEnd {
    readonly #registry: Registry;
    readonly #options: Required<RegistrationOptions>;
    readonly #timers: Timers;
    readonly #devices = new Map<string, DeviceState>();
    readonly #pending = new Set<PendingDevice>();

    constructor(registry: Registry, options: Required<RegistrationOptions>, timers: Timers) {
        this.#registry = registry;
        this.#options = options;
        this.#timers = timers;
    }

    /** Begins the checks of one connection. */
    connect(client: RegistryClient): DeviceChecks {
        return new DeviceChecks(this, client);
    }

    /** Ends the back-off of a device, or of all, and forgets that it was accepted. */
    forget(device?: DeviceName): void {
        if (device) this.#devices.delete(deviceKey(device));
        else this.#devices.clear();
    }

    /** Decides whether the connection may act for the device: at once, or when the registry has answered. */
    check(checks: DeviceChecks, device: DeviceName, answer: Answer): void {
        const key = deviceKey(device);
        const state = this.#devices.get(key);
        if (state === accepted) {
            answer(undefined);
        } else if (state?.is === "in-back-off" && state.untilMs > this.#timers.monotonicMs()) {
            answer("in-back-off");
        } else if (state?.is === "pending") {
            state.waiting.push({ checks, answer });
        } else {
            this.#begin(checks, device, key, answer);
        }
    }

    /** Discards what waits on a connection that has ended. */
    abandon(checks: DeviceChecks): void {
        for (const pending of this.#pending) pending.waiting = pending.waiting.filter((message) => message.checks !== checks);
    }

    #begin(checks: DeviceChecks, device: DeviceName, key: string, answer: Answer): void {
        const waiting = [{ checks, answer }];
        if (!isLegalId(device.typeId) || !isLegalId(device.deviceId)) {
            this.#refuse(key, 276, waiting);
            return;
        }
        if (!checks.takePlace(this.#options)) {
            this.#refuse(key, 173, waiting);
            return;
        }
        const pending: PendingDevice = { is: "pending", waiting };
        this.#devices.set(key, pending);
        this.#pending.add(pending);
        this.#registry.ask(checks.client, device, (rc) => {
            checks.freePlace();
            this.#pending.delete(pending);
            if (this.#devices.get(key) !== pending) return;
            if (rc === undefined) {
                this.#devices.set(key, accepted);
                for (const { checks: waiting, answer: pass } of pending.waiting) if (!waiting.hasEnded) pass(undefined);
            } else {
                this.#refuse(key, rc, pending.waiting);
            }
        });
    }

    #refuse(key: string, rc: number, waiting: readonly WaitingMessage[]): void {
        this.#makeRoom();
        this.#devices.set(key, { is: "in-back-off", untilMs: this.#timers.monotonicMs() + this.#options.backoffMs });
        const refusal = { rc, message: registryMessage(rc) };
        waiting.forEach(({ checks, answer }, index) => {
            if (!checks.hasEnded) answer(index === 0 ? refusal : "in-back-off");
        });
    }

    /** A client that invents ids must not fill the memory: expired back-offs go first, then all of them if need be. */
    #makeRoom(): void {
        const limit = this.#options.maxDevices + 10_000;
        if (this.#devices.size < limit) return;
        const now = this.#timers.monotonicMs();
        for (const [key, state] of this.#devices) {
            if (state.is === "in-back-off" && state.untilMs <= now) this.#devices.delete(key);
        }
        for (const [key, state] of this.#devices) {
            if (this.#devices.size < limit) return;
            if (state.is === "in-back-off") this.#devices.delete(key);
        }
    }
}

/** The checks of one connection, and how many it may begin. */
export class DeviceChecks {
    readonly client: RegistryClient;
    readonly #frontEnd: FrontEnd;
    #pending = 0;
    /** The gateway itself counts. */
    #begun = 1;
    #hasEnded = false;

    constructor(frontEnd: FrontEnd, client: RegistryClient) {
        this.#frontEnd = frontEnd;
        this.client = client;
    }

    /** Whether the connection has ended. */
    get hasEnded(): boolean {
        return this.#hasEnded;
    }

    /** Decides whether the gateway may act for the device: at once, or when the registry has answered. */
    check(device: DeviceName, answer: Answer): void {
        this.#frontEnd.check(this, device, answer);
    }

    /** The connection has ended: what waits on it is lost. */
    end(): void {
        this.#hasEnded = true;
        this.#frontEnd.abandon(this);
    }

    /** Takes a place for one more check; `false` when the connection has too many pending ones, or has begun too many. */
    takePlace({ maxPending, maxPerConnection }: Required<RegistrationOptions>): boolean {
        if (this.#pending >= maxPending || this.#begun >= maxPerConnection) return false;
        this.#pending++;
        this.#begun++;
        return true;
    }

    /** Gives the place of a pending check back. */
    freePlace(): void {
        this.#pending--;
    }
}

/** Why a message is dropped. In the back-off there is no notification. */
export type DeviceRefusal = { rc: number; message: string } | "in-back-off";

/** Called with the refusal, or `undefined` when the gateway may act for the device. */
export type Answer = (refusal: DeviceRefusal | undefined) => void;

interface WaitingMessage {
    checks: DeviceChecks;
    answer: Answer;
}

interface PendingDevice {
    is: "pending";
    waiting: WaitingMessage[];
}

type DeviceState = { is: "accepted" } | { is: "in-back-off"; untilMs: number } | PendingDevice;

const accepted: DeviceState = { is: "accepted" };
