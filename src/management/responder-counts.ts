import type { Clock, Timer } from "../clock";
import type { DeviceAddress } from "../protocol/identity";
import type { ManagedDevices } from "./managed-devices";
import type { PlatformRequests } from "./platform-requests";
import type { Responder, ResponderCounts } from "./responder";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What each responder has to do with, counted in one pass over all devices and requests. */
export function tally(
    devices: ManagedDevices,
    requests: PlatformRequests,
    ownerOf: (device: DeviceAddress) => Responder | undefined,
): ReadonlyMap<Responder, ResponderCounts> {
    const all = new Map<Responder, Mutable<ResponderCounts>>();
    const countsOf = (owner: Responder) => {
        const counts = all.get(owner) ?? { ...nothing };
        all.set(owner, counts);
        return counts;
    };
    devices.forEach((device, phase, rc) => {
        const owner = ownerOf(device);
        // A responder that keeps nothing managed has no devices, although it answers for them.
        if (owner?.options.manage !== true) return;
        const counts = countsOf(owner);
        counts[phase === "waiting" ? "pending" : phase] += 1;
        if (phase === "rejected" && rc !== undefined) counts.rejectedRc = rc;
    });
    for (const device of requests.waitingDevices()) {
        const owner = ownerOf(device);
        if (owner) countsOf(owner).requests += 1;
    }
    return all;
}

const nothing: ResponderCounts = { managed: 0, pending: 0, rejected: 0, requests: 0 };
const reportEveryMs = 250;

/** Tells each responder its counts when they have changed, a few times a second at most. */
export class CountReports {
    readonly #clock: Clock;
    readonly #responders: ReadonlySet<Responder>;
    readonly #count: () => ReadonlyMap<Responder, ResponderCounts>;
    readonly #reported = new WeakMap<Responder, string>();
    #timer: Timer | undefined;

    constructor(clock: Clock, responders: ReadonlySet<Responder>, count: () => ReadonlyMap<Responder, ResponderCounts>) {
        this.#clock = clock;
        this.#responders = responders;
        this.#count = count;
    }

    /** Something that is counted has changed. */
    changed(): void {
        this.#timer ??= this.#clock.setTimer(reportEveryMs, () => {
            this.#timer = undefined;
            const counts = this.#count();
            for (const responder of this.#responders) this.#report(responder, counts.get(responder) ?? nothing);
        });
    }

    /** Ends the timer. */
    close(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #report(responder: Responder, counts: ResponderCounts): void {
        const text = JSON.stringify(counts);
        if (text === (this.#reported.get(responder) ?? JSON.stringify(nothing))) return;
        this.#reported.set(responder, text);
        responder.listener.countsChanged(counts);
    }
}
