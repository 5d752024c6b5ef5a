import assert from "node:assert/strict";
import type { CompletionMode, OutboxEvent, Priority } from "../../../src/outbox/event";
import type { OutboxCounters } from "../../../src/outbox/outbox-counters";
import type { FakeClock } from "./fake-clock";
import type { RecordedCompletion, RecordingListener } from "./outbox-events";

/** What a naive reference knows of the events in an outbox, and what the outbox must therefore say and have done. */
export class OutboxReference {
    readonly events: Admitted[] = [];
    /** From now on an event may be sent again although it was acknowledged, and lost although it was admitted. */
    hasCrashed = false;
    /** Events given to the outbox of this run, all in all. */
    #givenInRun = 0;
    /** Whether a crash came after the store had failed: then an older value may still lie there. */
    #mayBeOutdated = false;
    readonly #clock: FakeClock;
    readonly #listener: RecordingListener;
    readonly #byText = new Map<string, Admitted>();
    readonly #numbers = new Map<string, number>();
    /** The last number sent for each device on this connection. */
    readonly #lastSent = new Map<string, number>();
    readonly #wasPurged = new Set<string>();
    readonly #late = new Map<unknown, string>();
    #lateSeen = 0;
    readonly #leftByPurges: string[] = [];
    #purges: Purged[] = [];

    constructor(clock: FakeClock, listener: RecordingListener) {
        this.#clock = clock;
        this.#listener = listener;
    }

    /** A new event of a device, with a text of its own. The caller forgets it when the outbox rejects it. */
    admit(device: string, details: Pick<Admitted, "completion" | "mode" | "ttlMs" | "priority" | "isLatest">): Admitted {
        const number = this.#numbers.get(device) ?? 0;
        const text = `${device}#${number} `.padEnd(10 + ((number * 37) % 90));
        const event: Admitted = {
            ...details,
            device,
            number,
            text,
            bytes: text.length,
            admittedMs: this.#clock.monotonicMs(),
            isDelivered: false,
            mayBeLost: false,
            wasRecalled: false,
            isPresumedDropped: false,
            isRefused: false,
            isReportedExpired: false,
        };
        this.#numbers.set(device, number + 1);
        this.#byText.set(text, event);
        this.events.push(event);
        this.#givenInRun += 1;
        return event;
    }

    forget(event: Admitted): void {
        this.events.splice(this.events.indexOf(event), 1);
    }

    find(event: OutboxEvent | undefined): Admitted {
        const found = this.#byText.get(String(event?.payload));
        assert.ok(found);
        return found;
    }

    /** Whether the event was reported as failed, in any way. */
    hasFailed(event: Admitted): boolean {
        return event.completion.outcome === "failed" || this.#lateCodes.has(event.text);
    }

    /** Whether nothing more needs to happen to the event. */
    isFinished(event: Admitted): boolean {
        return event.isDelivered || event.mayBeLost || this.hasFailed(event);
    }

    /** Whether a newer event of the same node, device and event id can have superseded it. */
    mayBeSuperseded(event: Admitted): boolean {
        return event.isLatest && this.events.some((other) => isNewer(other, event));
    }

    crash(hasStoreFailed: boolean): void {
        this.hasCrashed = true;
        this.#givenInRun = 0;
        if (hasStoreFailed) this.#mayBeOutdated = true;
        this.#purges = [];
        for (const event of this.events) {
            // What was reported done because it was superseded may be lost only where a newer one is not.
            if ((event.completion.outcome !== "done" || event.wasRecalled) && !event.isDelivered) event.mayBeLost = true;
        }
    }

    /** Whether a purge goes on. */
    get isPurging(): boolean {
        return this.#purges.some(({ outcome }) => outcome === "open");
    }

    /** A purge begins. What is in flight may stay. */
    purge(device: string, isInFlight: (event: Admitted) => boolean): Purged {
        const inFlight = this.events.filter((event) => event.device === device && isInFlight(event));
        const before = this.#numbers.get(device) ?? 0;
        const purge: Purged = { device, before, mayStay: new Set(inFlight.map(({ text }) => text)), outcome: "open" };
        this.#purges.push(purge);
        this.#wasPurged.add(device);
        return purge;
    }

    purged(purge: Purged): void {
        purge.outcome = "done";
        if (!this.#purges.includes(purge)) return;
        for (const event of this.events) {
            if (event.device !== purge.device || event.number >= purge.before) continue;
            if (!this.isFinished(event) && !this.mayBeSuperseded(event) && !purge.mayStay.has(event.text))
                this.#leftByPurges.push(event.text);
        }
    }

    /** A new connection: each device starts again with its first event that is not finished. */
    connected(): void {
        this.#lastSent.clear();
    }

    /** The device starts again with an event that was sent before. */
    sendsAgainFrom(device: string, number: number): void {
        for (const [order, last] of this.#lastSent)
            if (order.startsWith(`${device} `)) this.#lastSent.set(order, Math.min(last, number - 1));
    }

    /** The event is sent. Purges that go on may leave it. */
    sent(event: Admitted, isOnTheWire: (event: Admitted) => boolean): void {
        for (const purge of this.#purges) if (purge.device === event.device) purge.mayStay.add(event.text);
        assert.ok(this.hasCrashed || !this.hasFailed(event), `${event.text} was sent although it was reported as failed`);
        assert.ok(!event.isPresumedDropped, `${event.text} was sent after a later one`);
        assert.ok(this.hasCrashed || !event.isDelivered, `${event.text} was sent again after it was acknowledged`);
        assert.ok(!isOnTheWire(event), `${event.text} was sent twice`);
        if (!event.isLatest || this.#mayBeOutdated) return;
        for (const other of this.events) {
            if (isNewer(other, event)) assert.ok(!other.isDelivered, `${event.text} was sent after ${other.text} had been delivered`);
        }
    }

    /** The event is sent in the order of its device: earlier ones are finished, on the wire or dropped. */
    checkOrder(event: Admitted, isOnTheWire: (event: Admitted) => boolean, mayDrop: boolean): void {
        const order = `${event.device} ${event.isLatest ? "latest" : event.priority}`;
        assert.ok(event.number > (this.#lastSent.get(order) ?? -1), `${event.text} was sent after a later one`);
        this.#lastSent.set(order, event.number);
        if (event.isLatest) return;
        for (const earlier of this.events) {
            if (earlier.device !== event.device || earlier.number >= event.number) continue;
            if (earlier.isLatest || earlier.priority !== event.priority) continue;
            // What is refused, or has expired, may be reported later: when it is on disk as undelivered.
            if (this.isFinished(earlier) || earlier.isRefused || this.#isOld(earlier) || isOnTheWire(earlier)) continue;
            if (mayDrop) earlier.isPresumedDropped = true;
            assert.ok(earlier.isPresumedDropped, `${event.text} was sent before ${earlier.text}`);
        }
    }

    /** What must hold after every step. */
    check(counters: OutboxCounters): void {
        const { queued, queuedBytes, heldBytes, dropped, expired, refused, undeliverable, superseded, rejected } = counters;
        const delivered = counters.acknowledged - counters.recalled - counters.revoked;
        const ended = delivered + refused + expired + dropped + superseded + undeliverable + rejected;
        assert.equal(counters.takenOver + this.#givenInRun, queued + ended, "the counters do not add up");
        assert.ok(heldBytes >= 0 && heldBytes <= queuedBytes, `${heldBytes} of ${queuedBytes} bytes are held`);
        for (const event of this.events) if (this.#hasExpired(event)) this.#assertIsOldEnough(event);
        if (this.hasCrashed || this.#wasPurged.size > 0) return;
        const live = this.events.filter((event) => !event.isDelivered && !this.hasFailed(event));
        // Not more than so many are reported at once.
        const unreported = dropped + expired + refused + undeliverable - this.#countFailed();
        assert.equal(queued, live.length - unreported - superseded, "events are not counted correctly");
        if (unreported > 0 || superseded > 0) return;
        assert.equal(
            queuedBytes,
            live.reduce((sum, { bytes }) => sum + bytes, 0),
            "bytes are not counted correctly",
        );
    }

    /** What must hold when everything was sent and acknowledged. */
    checkEnd(counters: OutboxCounters, { dropsOldest, hasLostStore }: { dropsOldest: boolean; hasLostStore: boolean }): void {
        assert.ok(
            this.#purges.every(({ outcome }) => outcome === "done" || (outcome === "failed" && hasLostStore)),
            "a purge did not end",
        );
        assert.deepEqual(this.#leftByPurges, [], "events were left by a purge");
        const { queued, queuedBytes, waitingDevices, heldBytes } = counters;
        assert.deepEqual(
            { queued, queuedBytes, waitingDevices, heldBytes },
            { queued: 0, queuedBytes: 0, waitingDevices: 0, heldBytes: 0 },
        );
        for (const event of this.events) {
            assert.ok(this.isFinished(event) || this.mayBeSuperseded(event), `${event.text} was forgotten`);
            if (!event.mayBeLost && !this.hasCrashed) assert.notEqual(event.completion.outcome, "open", event.text);
        }
        if (this.hasCrashed) return;
        if (dropsOldest) assert.equal(this.#countFailed("GW_OUTBOX_FULL"), counters.dropped, "drops are not reported correctly");
        const late = this.#listener.late.map(({ event }) => event.payload);
        assert.equal(new Set(late).size, late.length, "an event was reported expired twice");
    }

    /** What must hold when nothing could be sent for long: an event that has outlived its time is reported all the same. */
    checkExpiry(): void {
        for (const event of this.events) {
            assert.ok(
                this.isFinished(event) || !this.#isOld(event) || this.mayBeSuperseded(event),
                `${event.text} has outlived its time, which was not reported`,
            );
        }
    }

    /** What must hold when the outbox was closed, with the texts that are on the disk and the number of events it said to be unsafe. */
    checkClosed(stored: ReadonlySet<string>, unsafe: number, { superseded }: OutboxCounters, isInMemory: boolean): void {
        const left = this.events.filter((event) => !event.isDelivered && !this.hasFailed(event));
        const lost = left.filter(({ text }) => !stored.has(text));
        for (const event of lost) {
            if (this.mayBeSuperseded(event)) continue;
            assert.ok(event.wasRecalled || event.completion.outcome !== "done", `${event.text} was reported done, and is lost`);
        }
        if (!isInMemory) {
            // What is superseded may still lie on the disk, where that could not be written.
            const isRight = unsafe <= lost.length && unsafe >= lost.length - superseded;
            assert.ok(isRight, `${unsafe} of ${lost.length} lost events are said to be unsafe, ${superseded} were superseded`);
            return;
        }
        assert.deepEqual(
            left.filter((event) => !event.wasRecalled && !this.mayBeSuperseded(event)),
            [],
            "not all losses were reported",
        );
    }

    #isOld(event: Admitted): boolean {
        return this.#clock.monotonicMs() - event.admittedMs > event.ttlMs;
    }

    /** How many events were reported as failed, with any code or this one. */
    #countFailed(code?: string): number {
        return this.events.filter((event) => this.hasFailed(event) && (code ?? this.#codeOf(event)) === this.#codeOf(event)).length;
    }

    #codeOf(event: Admitted): string | undefined {
        return event.completion.error?.code ?? this.#lateCodes.get(event.text);
    }

    /** The codes of the events that the listener got, by payload. */
    get #lateCodes(): ReadonlyMap<unknown, string> {
        const { late } = this.#listener;
        for (const { event, error } of late.slice(this.#lateSeen))
            if (!this.#late.has(event.payload)) this.#late.set(event.payload, error.code);
        this.#lateSeen = late.length;
        return this.#late;
    }

    #assertIsOldEnough(event: Admitted): void {
        if (event.isReportedExpired || this.#wasPurged.has(event.device)) return;
        event.isReportedExpired = true;
        const ageMs = this.#clock.monotonicMs() - event.admittedMs;
        assert.ok(ageMs >= event.ttlMs, `${event.text} was reported expired after ${ageMs} ms`);
    }

    #hasExpired(event: Admitted): boolean {
        return this.#codeOf(event) === "GW_EXPIRED";
    }
}

/** Whether one event supersedes another, if that waits. */
function isNewer(event: Admitted, other: Admitted): boolean {
    return event.isLatest && other.isLatest && event.device === other.device && event.number > other.number;
}

/** What the reference knows of one event. */
export interface Admitted {
    readonly priority: Priority;
    /** Whether a newer one of its device supersedes it. */
    readonly isLatest: boolean;
    readonly device: string;
    readonly number: number;
    readonly text: string;
    readonly completion: RecordedCompletion;
    readonly mode: CompletionMode;
    readonly bytes: number;
    readonly ttlMs: number;
    readonly admittedMs: number;
    /** Acknowledged by the platform (for a registration attempt: and confirmed). */
    isDelivered: boolean;
    /** It was acknowledged, and is sent again because the platform dropped it. */
    wasRecalled: boolean;
    /** A crash came before it was safe. */
    mayBeLost: boolean;
    /** A later one of its device was sent instead: it must have been dropped to make room. */
    isPresumedDropped: boolean;
    /** The platform refused it for good, which need not be reported yet. After a crash it may be sent again. */
    isRefused: boolean;
    isReportedExpired: boolean;
}

/** A purge that was asked for. */
export interface Purged {
    readonly device: string;
    /** Events with this number and larger ones were admitted afterwards. */
    readonly before: number;
    /** What was in flight then or was sent since may stay. */
    readonly mayStay: Set<string>;
    outcome: "open" | "done" | "failed";
}
