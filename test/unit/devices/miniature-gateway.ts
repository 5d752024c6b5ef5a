import assert from "node:assert/strict";
import { Registration } from "../../../src/devices/registration/registration";
import type { ReconnectReason, RegistrationClient } from "../../../src/devices/registration/registration-types";
import { FakeClock } from "../../support/doubles/fake-clock";
import { type Fate, type PlatformLimits, PlatformModel } from "./platform-model";

/** The platform's limits, and how many checks the gateway has under way. */
export interface MiniatureSetting extends Omit<PlatformLimits, "backoffMs"> {
    readonly registrationLimit: number;
}

const backoffMs = 600_000;
const reconnectMs = 3;

/** A gateway in miniature: one queue of numbered events per device before the model of the platform. */
export class MiniatureGateway {
    readonly clock = new FakeClock();
    readonly platform: PlatformModel;
    readonly registration: Registration;
    /** The events that were reported delivered, by device. */
    readonly settled = new Map<string, number[]>();
    /** Devices whose failure was notified. */
    readonly failed = new Set<string>();
    /** When each device had its first acknowledgement since `forgetTimes`. */
    readonly firstAcknowledgedMs = new Map<string, number>();
    readonly reconnects: ReconnectReason[] = [];
    readonly unanswered: string[] = [];
    readonly #limit: number;
    readonly #queues = new Map<string, number[]>();
    readonly #inFlight = new Map<string, number[]>();
    readonly #checks = new Map<string, number>();
    /** Devices with a check on this connection that is not answered. */
    readonly #open = new Set<string>();
    #isOnline = false;
    #isReconnecting = false;

    constructor(setting: MiniatureSetting, fate: (device: string) => Fate = () => "accepted") {
        this.#limit = setting.registrationLimit;
        this.platform = new PlatformModel(this.clock, { ...setting, backoffMs }, fate);
        this.registration = new Registration({
            clock: this.clock,
            gatewayDevice: "gateway/g1",
            registrationLimit: setting.registrationLimit,
            registrationBackoffMs: backoffMs,
            isRegistering: true,
        });
        this.registration.attach({
            reconnectWanted: (reason) => {
                this.reconnects.push(reason);
                this.clock.setTimer(1, () => this.reconnect());
            },
            stateChanged() {},
            unexplainedDrop() {},
            cleared() {},
            convicted: (device) => assert.fail(`${device} was flowing, so the platform cannot have dropped anything of it`),
            unanswered: (device) => this.unanswered.push(device),
            recall() {},
            signGiven() {},
            pingWanted: (answered) => answered(),
        });
        this.#connected();
    }

    publish(device: string, event: number): void {
        const queue = this.#queues.get(device);
        if (queue) queue.push(event);
        else this.#queues.set(device, [event]);
        this.#pump(device);
    }

    /** The line is cut, or the connection ended; the next one is there at once, or after a few milliseconds. */
    reconnect(): void {
        if (this.#isReconnecting) return;
        this.#isReconnecting = true;
        this.#isOnline = false;
        this.#open.clear();
        for (const device of this.#inFlight.keys()) this.#putBack(device);
        this.registration.connectionEnded();
        this.platform.connect();
        this.clock.setTimer(reconnectMs, () => this.#connected());
    }

    /** The platform's front end starts again with an empty memory. */
    restartPlatform(): void {
        this.platform.restart();
        this.reconnect();
    }

    /** From now on times, refusals and reconnects are noted. */
    forgetTimes(): void {
        this.firstAcknowledgedMs.clear();
        this.reconnects.length = 0;
        this.platform.refusals.length = 0;
    }

    /** How many events wait or are under way. */
    get backlog(): number {
        let events = this.#checks.size;
        for (const queue of [...this.#queues.values(), ...this.#inFlight.values()]) events += queue.length;
        return events;
    }

    #connected(): void {
        this.#isReconnecting = false;
        this.#isOnline = true;
        this.platform.connect();
        this.registration.connectionStarted();
        for (const device of this.#queues.keys()) this.#pump(device);
    }

    readonly #client: RegistrationClient = {
        wake: (device) => this.#pump(device),
        confirm: (device) => {
            const event = this.#takeCheck(device);
            if (event !== undefined) this.#settle(device, event);
        },
        requeue: (device) => {
            const event = this.#takeCheck(device);
            if (event !== undefined) this.#queues.get(device)?.unshift(event);
        },
        drop: () => assert.fail("nothing is final here"),
    };

    #pump(device: string): void {
        const queue = this.#queues.get(device) ?? [];
        if (queue.length === 0 && !this.#checks.has(device)) this.registration.withdraw(device, this.#client);
        while (this.#isOnline && queue.length > 0) {
            const answer = this.registration.register(device, "event", this.#client);
            if (answer === "wait") return;
            const event = queue.shift() ?? 0;
            if (answer === "check") this.#sendCheck(device, event);
            else this.#inFlight.set(device, [...(this.#inFlight.get(device) ?? []), event]);
            this.#publish(device, event, answer === "check");
        }
    }

    #sendCheck(device: string, event: number): void {
        assert.ok(!this.#checks.has(device), `${device} has a second check under way`);
        this.#checks.set(device, event);
        this.#open.add(device);
        assert.ok(this.#open.size <= this.#limit, `${this.#open.size} checks are unanswered`);
        this.registration.sent(device);
    }

    #publish(device: string, event: number, isCheck: boolean): void {
        this.platform.publish(device, event, {
            acknowledged: () => {
                if (!this.firstAcknowledgedMs.has(device)) this.firstAcknowledgedMs.set(device, this.clock.monotonicMs());
                if (!isCheck) {
                    this.#settle(device, event);
                    return;
                }
                this.#open.delete(device);
                this.registration.acknowledged(device);
            },
            notified: (of, rc) => {
                this.failed.add(of);
                this.registration.refused(of, { rc, request: "publish", text: "", registration: true });
            },
            strayPing: () => this.registration.strayPing(),
        });
    }

    #takeCheck(device: string): number | undefined {
        const event = this.#checks.get(device);
        this.#checks.delete(device);
        return event;
    }

    #settle(device: string, event: number): void {
        const inFlight = this.#inFlight.get(device) ?? [];
        const settled = this.settled.get(device);
        if (settled) settled.push(event);
        else this.settled.set(device, [event]);
        if (inFlight.includes(event))
            this.#inFlight.set(
                device,
                inFlight.filter((each) => each !== event),
            );
    }

    #putBack(device: string): void {
        this.#queues.get(device)?.unshift(...(this.#inFlight.get(device) ?? []));
        this.#inFlight.set(device, []);
    }
}
