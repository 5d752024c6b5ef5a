import { GatewayError } from "../../../src/errors";
import type { CompletionCallbacks, NewEvent, OutboxEvent } from "../../../src/outbox/event";
import type { EventLifecycleListener } from "../../../src/outbox/event-lifecycle";
import { Outbox } from "../../../src/outbox/outbox";
import type { MemoryLimits, OutboxLimits } from "../../../src/outbox/outbox-limits";
import type { DeviceGate, DeviceVerbs, EventLink, GateAnswer, Transmission } from "../../../src/outbox/ports";
import type {
    DeviceTotal,
    DeviceTotals,
    EventStore,
    EventStoreListener,
    ExpiredBatch,
    ExpiredCursor,
    ReadBatch,
    ReadRange,
    StoreContents,
} from "../../../src/outbox/store/store";
import { FakeClock } from "./fake-clock";
import { MemoryEventStore } from "./memory-event-store";

/** The limits a test does not care about. */
export const roomyLimits: OutboxLimits = {
    maxBytes: 100_000_000,
    maxAgeMs: 168 * 3_600_000,
    whenFull: "reject",
    maxRate: 0,
    maxInFlight: 100,
    acceptsOffline: true,
};

/** An event with `text` as its payload. */
export function newEvent(device: string, text: string, options: Partial<NewEvent> = {}): NewEvent {
    return {
        device,
        topic: `iot-2/type/${device.replace("/", "/id/")}/evt/status/fmt/text`,
        payload: text,
        bytes: Buffer.byteLength(text),
        qos: 1,
        completionMode: "safe",
        message: { messageId: `message-${text}`, nodeId: "node", eventId: "status" },
        ...options,
    };
}

/** An event as a store holds it. */
export function storedEvent(seq: number, device: string, options: Partial<OutboxEvent> = {}): OutboxEvent {
    const createdAt = Date.UTC(2026, 0, 1);
    const { topic, payload, bytes, qos, message } = newEvent(device, `event ${seq}`);
    return {
        seq,
        device,
        priority: "normal",
        topic,
        payload,
        bytes,
        qos,
        createdAt,
        expiresAt: createdAt + 3_600_000,
        message,
        ...options,
    };
}

/** Remembers what it was told, and fails on a second word. */
export class RecordedCompletion implements CompletionCallbacks {
    outcome: "open" | "done" | "failed" = "open";
    error: GatewayError | undefined;

    done(): void {
        this.#settle("done");
    }

    failed(error: GatewayError): void {
        this.error = error;
        this.#settle("failed");
    }

    #settle(outcome: "done" | "failed"): void {
        if (this.outcome !== "open") throw new Error(`told ${outcome} after ${this.outcome}`);
        this.outcome = outcome;
    }
}

/** A connection whose acknowledgements are given by the test. */
export class ManualLink implements EventLink {
    /** Sent and not settled, in the order of sending. */
    pending: PendingTransmission[] = [];
    /** The payloads of everything that was sent. */
    readonly sent: string[] = [];
    writable = true;
    /** Whether an acknowledged event may still have to be sent again: then it is settled by `settle`. */
    retains = false;
    retained: PendingTransmission[] = [];
    onSend: ((event: OutboxEvent, isCheck: boolean) => void) | undefined;

    send(event: OutboxEvent, isCheck: boolean, transmission: Transmission): void {
        this.sent.push(String(event.payload));
        this.onSend?.(event, isCheck);
        this.pending.push({ event, isCheck, transmission });
    }

    isWritable(): boolean {
        return this.writable;
    }

    /** Acknowledges the first, or another, of the pending ones. */
    acknowledge(index = 0): OutboxEvent | undefined {
        const [first] = this.pending.splice(index, 1);
        if (first && this.retains) {
            this.retained.push(first);
            first.transmission.acknowledged();
        } else {
            first?.transmission.settled();
        }
        return first?.event;
    }

    /** Lets go of what is acknowledged. */
    settle(): void {
        const settled = this.retained;
        this.retained = [];
        for (const { transmission } of settled) transmission.settled();
    }

    acknowledgeAll(): void {
        while (this.pending.length > 0) this.acknowledge();
    }

    /** What a connection does when it ends; the caller tells the outbox. */
    cut(): void {
        const lost = this.pending;
        this.pending = [];
        for (const { transmission } of lost) transmission.failed(new Error("connection lost"));
    }
}

/** An event on the wire. */
interface PendingTransmission {
    readonly event: OutboxEvent;
    readonly isCheck: boolean;
    readonly transmission: Transmission;
}

/** A gate whose answers are set by the test; devices flow unless it says otherwise. */
export class ManualGate implements DeviceGate {
    readonly answers = new Map<string, GateAnswer>();
    readonly withdrawn: string[] = [];
    readonly #held = new Set<string>();
    onAsk: ((device: string) => GateAnswer) | undefined;
    onIsHeld: ((device: string) => boolean) | undefined;
    #verbs: DeviceVerbs | undefined;

    attach(verbs: DeviceVerbs): void {
        this.#verbs = verbs;
    }

    /** How the outbox learns what was found out about a device. */
    get verbs(): DeviceVerbs {
        if (!this.#verbs) throw new Error("No outbox has attached itself.");
        return this.#verbs;
    }

    ask(device: string): GateAnswer {
        return this.onAsk?.(device) ?? this.answers.get(device) ?? "flow";
    }

    withdraw(device: string): void {
        this.withdrawn.push(device);
    }

    isHeld(device: string): boolean {
        return this.onIsHeld?.(device) ?? this.#held.has(device);
    }

    /** The device is held from now on. */
    hold(device: string): void {
        this.answers.set(device, "wait");
        this.#held.add(device);
    }

    /** The device flows again; the caller wakes it. */
    release(device: string): void {
        this.answers.delete(device);
        this.#held.delete(device);
    }
}

/** Remembers what the outbox could tell no completion. */
export class RecordingListener implements EventLifecycleListener {
    readonly late: { error: GatewayError; event: OutboxEvent }[] = [];
    readonly drops: { error: GatewayError; event: OutboxEvent; sinceLast: number }[] = [];

    lateError(error: GatewayError, event: OutboxEvent): void {
        this.late.push({ error, event });
    }

    dropped(error: GatewayError, event: OutboxEvent, sinceLast: number): void {
        this.drops.push({ error, event, sinceLast });
    }
}

/** What survives the end of a process. */
export class Disk {
    data = new MemoryEventStore();

    /** Events on the disk. */
    get events(): number {
        return this.data.events.length;
    }

    /** The payloads of the events on the disk. */
    get texts(): Set<string> {
        return new Set(this.data.events.map(({ payload }) => String(payload)));
    }

    clear(): void {
        this.data = new MemoryEventStore();
    }
}

/**
 * A durable store that carries out one request each time the test says so. Several of them, one after the other, may use one disk: dropping
 * the last one with requests outstanding is a crash.
 */
export class SteppedStore implements EventStore {
    readonly #disk: Disk;
    readonly #requests: { run: () => void; fail: () => void; failAfterwards: () => void }[] = [];
    /** Every read that was asked for. */
    readonly reads: ReadRange[] = [];
    #listener: EventStoreListener | undefined;
    #isOpen = false;
    #wasOpen = false;
    commits = 0;

    constructor(disk: Disk) {
        this.#disk = disk;
    }

    get outstanding(): number {
        return this.#requests.length;
    }

    attach(listener: EventStoreListener): void {
        this.#listener = listener;
    }

    get isOpen(): boolean {
        return this.#isOpen;
    }

    /** Carries out the oldest request; false when there was none. */
    step(): boolean {
        const request = this.#requests.shift();
        request?.run();
        return request !== undefined;
    }

    /** Fails the oldest request. */
    fail(): void {
        this.#requests.shift()?.fail();
    }

    /** Carries out the oldest request, a commit, but says that it failed: the disk gave up between the two. */
    failAfterwards(): void {
        this.#requests.shift()?.failAfterwards();
    }

    settle(): void {
        while (this.step());
    }

    open(options: { isContinued?: boolean } = {}): void {
        if (this.#isOpen) return;
        this.#isOpen = true;
        let contents: StoreContents | undefined;
        this.#disk.data.attach({
            opened: (found) => {
                contents = found;
            },
            closed: () => {},
        });
        if (contents) this.#listener?.opened({ ...contents, isContinued: this.#wasOpen && (options.isContinued ?? true) });
        this.#wasOpen = true;
    }

    /** Opening failed, or the file cannot be reached any more. */
    close(): void {
        this.#isOpen = false;
        while (this.#requests.length > 0) this.fail();
        this.#listener?.closed();
    }

    commit(writes: readonly OutboxEvent[], removals: readonly number[], finished: (error: GatewayError | undefined) => void): void {
        const copies = writes.map((event) => ({ ...event }));
        this.#request(
            () => {
                this.commits += 1;
                this.#disk.data.commit(copies, removals, finished);
            },
            (error) => finished(error),
            () => this.#disk.data.commit(copies, removals, () => {}),
        );
    }

    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void {
        this.reads.push(range);
        this.#request(
            () => this.#disk.data.read(range, finished),
            (error) => finished(error, { events: [], isComplete: false }),
        );
    }

    readDevices(
        after: DeviceTotal | undefined,
        maxTotals: number,
        finished: (error: GatewayError | undefined, totals: DeviceTotals) => void,
    ): void {
        this.#request(
            () => this.#disk.data.readDevices(after, maxTotals, finished),
            (error) => finished(error, { totals: [], isComplete: false }),
        );
    }

    readExpired(
        atMs: number,
        after: ExpiredCursor | undefined,
        maxEvents: number,
        finished: (error: GatewayError | undefined, batch: ExpiredBatch) => void,
    ): void {
        this.#request(
            () => this.#disk.data.readExpired(atMs, after, maxEvents, finished),
            (error) => finished(error, { events: [], nextExpiresAt: undefined }),
        );
    }

    shiftTimes(afterSeq: number, byMs: number, finished: (error: GatewayError | undefined) => void): void {
        this.#request(
            () => this.#disk.data.shiftTimes(afterSeq, byMs, finished),
            (error) => {
                finished(error);
                if (this.#isOpen) this.close();
            },
        );
    }

    #request(run: () => void, failed: (error: GatewayError) => void, carryOut: () => void = () => {}): void {
        const fail = () => failed(new GatewayError("GW_STORE", "The disk failed, says the test."));
        const failAfterwards = () => {
            carryOut();
            fail();
        };
        if (this.#isOpen) this.#requests.push({ run, fail, failAfterwards });
        else fail();
    }
}

/** An outbox whose surroundings the test drives, on a durable store that is open unless the test says otherwise. */
export function outboxFixture(options: FixtureOptions = {}) {
    const clock = new FakeClock();
    const disk = options.disk ?? new Disk();
    const stepped = new SteppedStore(disk);
    const link = new ManualLink();
    const gate = new ManualGate();
    const listener = new RecordingListener();
    const outbox = new Outbox({
        store: options.isInMemory ? undefined : stepped,
        storesEvents: !(options.isInMemory ?? options.storesNothing),
        clock,
        limits: { ...roomyLimits, ...options.limits },
        memory: options.memory ?? {},
        gate,
        link,
        listener,
    });
    if (options.isOpen ?? true) stepped.open();
    return {
        clock,
        disk,
        store: stepped,
        link,
        gate,
        listener,
        outbox,
        verbs: gate.verbs,
        admit(device: string, text: string, event: Partial<NewEvent> = {}): RecordedCompletion {
            const completion = new RecordedCompletion();
            outbox.admit(newEvent(device, text, event), completion);
            return completion;
        },
        /** The link goes down, as the gateway reports it. */
        cut(): void {
            link.cut();
            outbox.linkDown();
        },
        /** Lets the group commit come and the store work it off. */
        writeOut(): void {
            clock.advance(300);
            stepped.settle();
        },
    };
}

interface FixtureOptions {
    disk?: Disk;
    /** Whether there is no store, or one whose events are only sent. */
    isInMemory?: boolean;
    storesNothing?: boolean;
    isOpen?: boolean;
    limits?: Partial<OutboxLimits>;
    memory?: Partial<MemoryLimits>;
}
