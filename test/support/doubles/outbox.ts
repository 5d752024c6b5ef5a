import { GatewayError } from "../../../src/errors";
import type { CompletionCallbacks, NewEvent, OutboxEvent } from "../../../src/outbox/event";
import type { EventLifecycleListener } from "../../../src/outbox/event-lifecycle";
import { Outbox } from "../../../src/outbox/outbox";
import type { MemoryLimits, OutboxLimits } from "../../../src/outbox/outbox-limits";
import type { DeviceGate, DeviceVerbs, EventLink, GateAnswer, Transmission } from "../../../src/outbox/ports";
import { MemoryStore } from "../../../src/outbox/store/memory-store";
import type { EventStore, EventStoreListener, ExpiredBatch, ReadBatch, ReadRange, StoreContents } from "../../../src/outbox/store/store";
import { FakeClock } from "./fake-clock";

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
    return { seq, device, topic, payload, bytes, qos, createdAt, expiresAt: createdAt + 3_600_000, message, ...options };
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
        first?.transmission.settled();
        return first?.event;
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
    verbs: DeviceVerbs | undefined;

    attach(verbs: DeviceVerbs): void {
        this.verbs = verbs;
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
    data = new MemoryStore();

    /** Events on the disk. */
    get events(): number {
        let events = 0;
        this.data.attach({
            opened: (contents) => {
                events = contents.events;
            },
            closed: () => {},
        });
        return events;
    }

    /** The payloads of the events on the disk. */
    get texts(): Set<string> {
        const texts = new Set<string>();
        const everything = {
            after: 0,
            upTo: Number.MAX_SAFE_INTEGER,
            maxEvents: Number.MAX_SAFE_INTEGER,
            maxBytes: Number.MAX_SAFE_INTEGER,
        };
        this.data.read(everything, (_, { events }) => {
            for (const { payload } of events) texts.add(String(payload));
        });
        return texts;
    }

    clear(): void {
        this.data = new MemoryStore();
    }
}

/**
 * A durable store that carries out one request each time the test says so. Several of them, one after the other, may use one disk: dropping
 * the last one with requests outstanding is a crash.
 */
export class SteppedStore implements EventStore {
    readonly isDurable = true;
    readonly #disk: Disk;
    readonly #requests: { run: () => void; fail: () => void }[] = [];
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
        );
    }

    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void {
        this.#request(
            () => this.#disk.data.read(range, finished),
            (error) => finished(error, { events: [], isComplete: false }),
        );
    }

    readExpired(atMs: number, maxEvents: number, finished: (error: GatewayError | undefined, batch: ExpiredBatch) => void): void {
        this.#request(
            () => this.#disk.data.readExpired(atMs, maxEvents, finished),
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

    #request(run: () => void, failed: (error: GatewayError) => void): void {
        const fail = () => failed(new GatewayError("GW_STORE", "The disk failed, says the test."));
        if (this.#isOpen) this.#requests.push({ run, fail });
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
        store: options.store ?? stepped,
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
    store?: EventStore;
    isOpen?: boolean;
    limits?: Partial<OutboxLimits>;
    memory?: Partial<MemoryLimits>;
}
