import { GatewayError } from "../../../src/errors";
import type { OutboxEvent } from "../../../src/outbox/event";
import type {
    DeviceTotal,
    DeviceTotals,
    EventStore,
    EventStoreListener,
    ExpiredBatch,
    ExpiredCursor,
    KeptPage,
    KeptPlace,
    KeptSelection,
    LatestBatch,
    ReadBatch,
    ReadRange,
    StoreContents,
    UndeliveredBatch,
    UndeliveredChanges,
    UndeliveredOutcome,
} from "../../../src/outbox/store/store";
import { MemoryEventStore } from "./memory-event-store";

/** What survives the end of a process. */
export class Disk {
    data = new MemoryEventStore();

    /** Events on the disk. */
    get events(): number {
        return this.data.events.length;
    }

    /** The payloads of the events on the disk, with those that ended without delivery. */
    get texts(): Set<string> {
        const undelivered = this.data.undelivered.map(({ event }) => event);
        return new Set([...this.data.events, ...undelivered].map(({ payload }) => String(payload)));
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

    get oldestCreatedAt(): number | undefined {
        return this.#wasOpen ? this.#disk.data.oldestCreatedAt : undefined;
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
            // What a request takes along is known when it is made, not when it is carried out.
            clockNote: () => "",
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

    commit(
        writes: readonly OutboxEvent[],
        removals: readonly number[],
        finished: (error: GatewayError | undefined, outcome?: UndeliveredOutcome) => void,
        undelivered?: UndeliveredChanges,
    ): void {
        const copies = writes.map((event) => ({ ...event }));
        const noteClock = this.#takeNote();
        this.#request(
            () => {
                this.commits += 1;
                noteClock();
                this.#disk.data.commit(copies, removals, finished, undelivered);
            },
            (error) => finished(error),
            () => {
                noteClock();
                this.#disk.data.commit(copies, removals, () => {}, undelivered);
            },
        );
    }

    listUndelivered(selection: KeptSelection, place: KeptPlace, finished: (error: GatewayError | undefined, page: KeptPage) => void): void {
        this.#request(
            () => this.#disk.data.listUndelivered(selection, place, finished),
            (error) => finished(error, { events: [], total: 0 }),
        );
    }

    readKept(
        selection: KeptSelection,
        after: number,
        max: { readonly events: number; readonly bytes: number },
        finished: (error: GatewayError | undefined, batch: UndeliveredBatch) => void,
    ): void {
        this.#request(
            () => this.#disk.data.readKept(selection, after, max, finished),
            (error) => finished(error, { events: [], isComplete: true }),
        );
    }

    readUndelivered(
        after: number,
        max: { readonly events: number; readonly bytes: number },
        finished: (error: GatewayError | undefined, batch: UndeliveredBatch) => void,
    ): void {
        this.#request(
            () => this.#disk.data.readUndelivered(after, max, finished),
            (error) => finished(error, { events: [], isComplete: false }),
        );
    }

    whenFree(next: () => void): void {
        next();
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

    readLatest(after: number, maxEvents: number, finished: (error: GatewayError | undefined, batch: LatestBatch) => void): void {
        this.#request(
            () => this.#disk.data.readLatest(after, maxEvents, finished),
            (error) => finished(error, { events: [], isComplete: false }),
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
        const noteClock = this.#takeNote();
        this.#request(
            () => {
                noteClock();
                this.#disk.data.shiftTimes(afterSeq, byMs, finished);
            },
            (error) => {
                finished(error);
                if (this.#isOpen) this.close();
            },
        );
    }

    #takeNote(): () => void {
        const note = this.#listener?.clockNote() ?? "";
        return () => {
            if (note !== "") this.#disk.data.clockNote = note;
        };
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
