import type { FakeClock } from "../../support/doubles/fake-clock";

/** How the platform's registry treats a device. */
export type Fate = "accepted" | "fails" | "hangs";

/** What the platform sends to its client. */
export interface PlatformListener {
    acknowledged(device: string, event: number): void;
    notified(device: string, rc: number): void;
    strayPing(): void;
}

/** The platform's limits and its speed. */
export interface PlatformLimits {
    readonly pending: number;
    /** Newly checked devices per connection, the gateway included. */
    readonly newDevices: number;
    /** How long the registry takes for a device. */
    readonly registrationMs: number | ((device: string) => number);
    readonly backoffMs: number;
    /** The round trip; 2 when absent. */
    readonly roundTripMs?: number;
}

interface Waiting {
    readonly connection: number;
    readonly event: number;
    readonly listener: PlatformListener;
}

interface PendingRegistration {
    readonly connection: number;
    readonly waiting: Waiting[];
}

type Memory = "known" | { readonly backoffUntilMs: number } | PendingRegistration;

/**
 * The platform's registration as captured on the wire, in a few lines: what it acknowledges, drops, notifies and counts. Its
 * front end forgets everything when it restarts; a registration that is under way outlives its connection.
 */
export class PlatformModel {
    readonly delivered = new Map<string, number[]>();
    readonly refusals: string[] = [];
    readonly #clock: FakeClock;
    readonly #limits: PlatformLimits;
    readonly #fate: (device: string) => Fate;
    #memory = new Map<string, Memory>();
    #pending = 0;
    #newDevices = 1;
    #connection = 0;
    mostPending = 0;

    constructor(clock: FakeClock, limits: PlatformLimits, fate: (device: string) => Fate) {
        this.#clock = clock;
        this.#limits = limits;
        this.#fate = fate;
    }

    /** Another gateway's failure puts a device into back-off that the front end has not in memory. */
    failElsewhere(device: string): void {
        const memory = this.#memory.get(device);
        if (!memory || (memory !== "known" && "backoffUntilMs" in memory)) this.#backOff(device);
    }

    /** A new connection, which ends the one before. */
    connect(): void {
        this.#connection++;
        this.#pending = 0;
        this.#newDevices = 1;
    }

    /** The front end starts again with an empty memory; a new connection follows. */
    restart(): void {
        this.#memory = new Map();
    }

    /** A QoS 1 publish is sent. */
    publish(device: string, event: number, listener: PlatformListener): void {
        const waiting = { connection: this.#connection, event, listener };
        const oneWayMs = (this.#limits.roundTripMs ?? 2) / 2;
        this.#clock.setTimer(oneWayMs, () => {
            if (waiting.connection === this.#connection) this.#arrived(device, waiting);
        });
    }

    #arrived(device: string, waiting: Waiting): void {
        const memory = this.#memory.get(device);
        if (memory === "known") {
            this.#accept(device, waiting);
        } else if (memory && "waiting" in memory) {
            memory.waiting.push(waiting);
        } else if (memory && memory.backoffUntilMs > this.#clock.monotonicMs()) {
            this.#answer(waiting, 0, ({ listener, event }) => listener.acknowledged(device, event));
            this.#answer(waiting, 1, ({ listener }) => listener.strayPing());
        } else if (this.#pending >= this.#limits.pending || this.#newDevices >= this.#limits.newDevices) {
            this.#refuse(device, 173, [waiting]);
        } else {
            this.#register(device, waiting);
        }
    }

    #register(device: string, first: Waiting): void {
        const registration: PendingRegistration = { connection: this.#connection, waiting: [first] };
        const { registrationMs } = this.#limits;
        this.#newDevices++;
        this.#pending++;
        this.mostPending = Math.max(this.mostPending, this.#pending);
        this.#memory.set(device, registration);
        const fate = this.#fate(device);
        if (fate === "hangs") return;
        this.#clock.setTimer(typeof registrationMs === "number" ? registrationMs : registrationMs(device), () => {
            if (registration.connection === this.#connection) this.#pending--;
            if (this.#memory.get(device) !== registration) return;
            const waiting = registration.connection === this.#connection ? registration.waiting : [];
            if (fate === "fails") {
                this.#refuse(device, 177, waiting);
                return;
            }
            this.#memory.set(device, "known");
            for (const each of waiting) this.#accept(device, each);
        });
    }

    #accept(device: string, waiting: Waiting): void {
        const { event } = waiting;
        const events = this.delivered.get(device);
        if (events) events.push(event);
        else this.delivered.set(device, [event]);
        this.#answer(waiting, 0, ({ listener }) => listener.acknowledged(device, event));
    }

    #refuse(device: string, rc: number, waiting: readonly Waiting[]): void {
        this.#backOff(device);
        this.refusals.push(`${device} ${rc}`);
        for (const each of waiting) this.#answer(each, 0, ({ listener, event }) => listener.acknowledged(device, event));
        const [first] = waiting;
        if (!first) return;
        for (const each of waiting) this.#answer(each, 1, ({ listener }) => listener.strayPing());
        this.#answer(first, 3, ({ listener }) => listener.notified(device, rc));
    }

    #backOff(device: string): void {
        this.#memory.set(device, { backoffUntilMs: this.#clock.monotonicMs() + this.#limits.backoffMs });
    }

    #answer(waiting: Waiting, delayMs: number, action: (waiting: Waiting) => void): void {
        this.#clock.setTimer((this.#limits.roundTripMs ?? 2) / 2 + delayMs, () => {
            if (waiting.connection === this.#connection) action(waiting);
        });
    }
}
