import type { FakeClock } from "../../support/doubles/fake-clock";

/** How the platform's registry treats a device. */
export type Fate = "accepted" | "fails" | "hangs";

/** What the platform tells its client. */
export interface PlatformListener {
    acknowledged(device: string, event: number): void;
    notified(device: string, rc: number): void;
    strayPing(): void;
}

interface Limits {
    readonly pending: number;
    readonly newDevices: number;
    readonly registrationMs: number;
    readonly backoffMs: number;
}

/** The platform's registration as captured on the wire, in a few lines: what it acknowledges, drops, notifies and counts. */
export class PlatformModel {
    readonly delivered = new Map<string, number[]>();
    readonly refusals: string[] = [];
    readonly #clock: FakeClock;
    readonly #limits: Limits;
    readonly #fate: (device: string) => Fate;
    readonly #registered = new Set<string>();
    readonly #backoffUntilMs = new Map<string, number>();
    #pending = new Map<string, number[]>();
    #newDevices = 1;
    #connection = 0;
    mostPending = 0;

    constructor(clock: FakeClock, limits: Limits, fate: (device: string) => Fate) {
        this.#clock = clock;
        this.#limits = limits;
        this.#fate = fate;
    }

    /** Another gateway's failure puts the device into back-off. */
    fail(device: string): void {
        this.#backoffUntilMs.set(device, this.#clock.monotonicMs() + this.#limits.backoffMs);
    }

    connect(): void {
        this.#connection++;
        this.#pending = new Map();
        this.#newDevices = 1;
    }

    /** A QoS 1 publish arrives; answers come a millisecond later. */
    publish(device: string, event: number, listener: PlatformListener): void {
        const connection = this.#connection;
        const answer = (delayMs: number, action: () => void) => {
            this.#clock.setTimer(delayMs, () => {
                if (connection === this.#connection) action();
            });
        };
        const refuse = (rc: number, events: readonly number[]) => {
            this.fail(device);
            this.refusals.push(`${device} ${rc}`);
            for (const each of events) answer(1, () => listener.acknowledged(device, each));
            answer(2, () => listener.strayPing());
            answer(4, () => listener.notified(device, rc));
        };
        if (this.#registered.has(device)) {
            this.#deliver(device, event);
            answer(1, () => listener.acknowledged(device, event));
            return;
        }
        const pending = this.#pending.get(device);
        if (pending) {
            pending.push(event);
            return;
        }
        if ((this.#backoffUntilMs.get(device) ?? 0) > this.#clock.monotonicMs()) {
            answer(1, () => listener.acknowledged(device, event));
            answer(2, () => listener.strayPing());
            return;
        }
        if (this.#pending.size >= this.#limits.pending || this.#newDevices >= this.#limits.newDevices) {
            refuse(173, [event]);
            return;
        }
        this.#newDevices++;
        this.#pending.set(device, [event]);
        this.mostPending = Math.max(this.mostPending, this.#pending.size);
        const fate = this.#fate(device);
        if (fate === "hangs") return;
        answer(this.#limits.registrationMs, () => {
            const events = this.#pending.get(device) ?? [];
            this.#pending.delete(device);
            if (fate === "fails") {
                refuse(177, events);
                return;
            }
            this.#registered.add(device);
            for (const each of events) {
                this.#deliver(device, each);
                listener.acknowledged(device, each);
            }
        });
    }

    #deliver(device: string, event: number): void {
        const events = this.delivered.get(device);
        if (events) events.push(event);
        else this.delivered.set(device, [event]);
    }
}
