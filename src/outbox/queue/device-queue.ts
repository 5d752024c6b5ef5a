import type { Priority } from "../event";
import { EntryList, type MemoryUse } from "./entry-list";
import type { OutboxEntry } from "./outbox-entry";

/**
 * One device with something that waits, or with a check under way. It holds no events of its own but those that cannot be stored (yet): what
 * waits for the device is counted here and lies in the store.
 *
 * | state        | meaning                                               | left by                                              |
 * |--------------|-------------------------------------------------------|------------------------------------------------------|
 * | `open`       | the gate is asked for each event                      | `wait`, `startCheck`                                 |
 * | `waiting`    | the gate said `wait`, or the check failed for now     | `wake`                                               |
 * | `checking`   | the device's check is on the wire                     | `checkAcknowledged`, `endCheck`                      |
 * | `confirming` | the check is acknowledged, its outcome is not known   | `endCheck`                                           |
 *
 * `endCheck` leads to `open`; its caller may let the device `wait`. Only this file assigns the fields of the queue and its backlogs.
 */
export class DeviceQueue {
    readonly device: string;
    state: DeviceState = "open";
    /** The event of the check under way. */
    check: OutboxEntry | undefined = undefined;
    /** Whether the gate counts on the device: it was answered something else than `flow`. */
    isEnlisted = false;
    /** Whether the gate let the device wait without knowing of an event of high priority: those get the next place. */
    isRankOpen = false;
    /** Whether its bytes are counted as held: what the gate said when it was last asked. */
    isHeld = false;
    /** Events that wait, of all priorities, wherever they are, and their bytes. */
    events = 0;
    bytes = 0;
    #high: DeviceBacklog | undefined = undefined;
    #normal: DeviceBacklog | undefined = undefined;
    #low: DeviceBacklog | undefined = undefined;

    constructor(device: string) {
        this.device = device;
    }

    /** Whether events of the device may be asked for. */
    get isOpen(): boolean {
        return this.state === "open";
    }

    /** Whether its events simply flow: in the order of the class queues. */
    get isFlowing(): boolean {
        return this.state === "open" && !this.#high?.lineEvents && !this.#normal?.lineEvents && !this.#low?.lineEvents;
    }

    /** The events of one priority, if there have been any. */
    backlog(priority: Priority): DeviceBacklog | undefined {
        return priority === "normal" ? this.#normal : priority === "high" ? this.#high : this.#low;
    }

    /** The same; made when there is none. */
    backlogFor(priority: Priority, lines: LineTotals): DeviceBacklog {
        const present = this.backlog(priority);
        if (present) return present;
        const made = new DeviceBacklog(this, priority, lines);
        if (priority === "normal") this.#normal = made;
        else if (priority === "high") this.#high = made;
        else this.#low = made;
        return made;
    }

    *backlogs(): Generator<DeviceBacklog> {
        if (this.#high) yield this.#high;
        if (this.#normal) yield this.#normal;
        if (this.#low) yield this.#low;
    }

    /** Whether an event of high priority waits. */
    get hasHigh(): boolean {
        return this.#high !== undefined && this.#high.events > 0;
    }

    /** Nothing of the device is sent until it is woken. `isRanked`: nothing that may come moves it up. */
    wait(isRanked = true): void {
        this.state = "waiting";
        this.isRankOpen = !isRanked;
        this.isEnlisted = true;
    }

    /** The gate may answer differently. */
    wake(): void {
        if (this.state === "waiting") this.state = "open";
    }

    /** The gate lets this event go out as the check of the device. */
    startCheck(entry: OutboxEntry): void {
        this.state = "checking";
        this.check = entry;
        this.isEnlisted = true;
    }

    /** The platform acknowledged the check. */
    checkAcknowledged(): void {
        if (this.state === "checking") this.state = "confirming";
    }

    /** The check has an outcome, or its connection has ended; returns its event, if one was under way. */
    endCheck(): OutboxEntry | undefined {
        const { check } = this;
        if (!check) return undefined;
        this.check = undefined;
        this.state = "open";
        return check;
    }

    /** The gate counts on the device (it granted a check), or does so no longer. */
    enlist(isEnlisted: boolean): void {
        this.isEnlisted = isEnlisted;
    }

    /** The gate said whether the device is held. */
    countAsHeld(isHeld: boolean): void {
        this.isHeld = isHeld;
    }

    /** Events of one priority began to wait; negative when they do no longer. */
    count(backlog: DeviceBacklog, events: number, bytes: number): void {
        backlog.events += events;
        backlog.bytes += bytes;
        this.events += events;
        this.bytes += bytes;
    }
}

/** See `DeviceQueue`. */
export type DeviceState = "open" | "waiting" | "checking" | "confirming";

/**
 * The events of one device and priority that wait. The first of them are its *line*: those that the class queue has come to while the device
 * could not be sent for, and what came after them while nothing else of the device was left in the class queue. They lie in the store, except
 * those that are not stored yet, and are read by device when its turn comes. Everything of the line precedes what is in the class queue.
 */
export class DeviceBacklog {
    readonly queue: DeviceQueue;
    readonly priority: Priority;
    readonly #lines: LineTotals;
    /** Events that wait, in the line and in the class queue, and their bytes. */
    events = 0;
    bytes = 0;
    /** The event that waits among the live ones: it precedes the others of the class queue. */
    live: OutboxEntry | undefined = undefined;
    /** Events of the line, and those of them that are only stored. */
    lineEvents = 0;
    lineStored = 0;
    /** The largest number that has been in the line. */
    upTo = 0;
    /** Stored events of the line up to this number have been read. */
    after = 0;
    /** Counts the reads; 0 when none is under way that starts where the stored events of the line start. */
    #reads = 0;
    #currentRead = 0;
    /** Events of the line that are in memory, in order. */
    #loaded: EntryList | undefined = undefined;

    constructor(queue: DeviceQueue, priority: Priority, lines: LineTotals) {
        this.queue = queue;
        this.priority = priority;
        this.#lines = lines;
    }

    /** The only event of the backlog, which has just been admitted, waits among the live ones; or there is none (any more). */
    setLive(entry: OutboxEntry | undefined): void {
        this.live = entry;
    }

    /** The first event of the line, if it is in memory. Where the rest of the store cannot be reached, it does not count. */
    first(isStoreClosed: boolean): OutboxEntry | undefined {
        const first = this.#loaded?.first;
        if (!first || first.seq <= this.after || !this.hasUnread || isStoreClosed) return first;
        return undefined;
    }

    /** Whether the first event of the line in memory is among those that have been read. */
    get isFirstRead(): boolean {
        return (this.#loaded?.first?.seq ?? Number.POSITIVE_INFINITY) <= this.after;
    }

    /** Whether events of the line must be read before all of it is in memory. */
    get hasUnread(): boolean {
        return this.lineStored > 0 && this.after < this.upTo;
    }

    /** Every event of the line that is in memory. */
    get loaded(): Iterable<OutboxEntry> {
        return this.#loaded ?? [];
    }

    /** Whether a row belongs to the line. */
    isOfLine(seq: number): boolean {
        return this.lineEvents > 0 && seq <= this.upTo;
    }

    /** Whether an event in memory stands in the line. */
    has(entry: OutboxEntry): boolean {
        return entry.list !== undefined && entry.list === this.#loaded;
    }

    /** An event joins the line, in memory, at its place by number. */
    join(entry: OutboxEntry): void {
        this.#count(1);
        this.#insert(entry);
    }

    /** Everything that is left in the class queue, which is only stored, with numbers up to this one, joins the line. */
    joinStored(upTo: number): void {
        const events = this.events - this.lineEvents;
        this.#count(events);
        this.#countStored(events);
        this.upTo = Math.max(this.upTo, upTo);
        this.after = 0;
        this.#currentRead = 0;
    }

    /** An event of the line comes into memory. */
    load(entry: OutboxEntry): void {
        this.#countStored(-1);
        this.#insert(entry);
    }

    /** An event of the line that is stored leaves memory. */
    unload(entry: OutboxEntry): void {
        this.#loaded?.remove(entry);
        this.#countStored(1);
        this.after = Math.min(this.after, entry.seq - 1);
        this.#currentRead = 0;
    }

    /** An event of the line in memory leaves it. */
    leave(entry: OutboxEntry): void {
        this.#loaded?.remove(entry);
        this.#left();
    }

    /** An event of the line that was only stored is finished. */
    leaveStored(): void {
        this.#countStored(-1);
        this.#left();
    }

    /** A read begins; returns its number. */
    startReading(): number {
        this.#currentRead = ++this.#reads;
        return this.#currentRead;
    }

    /** A read has ended: what was only stored up to this number is in memory, unless something has left memory meanwhile. */
    endReading(readNumber: number, readTo: number): void {
        if (readNumber === this.#currentRead) this.after = readTo;
    }

    /** Gives up the line: its events go back to the class queue. Those in memory must have been taken out. */
    dissolve(): void {
        this.#count(-this.lineEvents);
        this.#countStored(-this.lineStored);
        this.#restart();
    }

    #count(events: number): void {
        this.lineEvents += events;
        this.#lines.events += events;
    }

    #countStored(events: number): void {
        this.lineStored += events;
        this.#lines.stored += events;
    }

    #insert(entry: OutboxEntry): void {
        this.#loaded ??= new EntryList(this.#lines.use);
        this.#loaded.insert(entry);
        this.upTo = Math.max(this.upTo, entry.seq);
    }

    #left(): void {
        this.#count(-1);
        if (this.lineEvents === 0) this.#restart();
    }

    #restart(): void {
        this.upTo = 0;
        this.after = 0;
        this.#currentRead = 0;
    }
}

/** What the lines of all devices hold of one priority. */
export interface LineTotals {
    events: number;
    /** Those of them that are only stored. */
    stored: number;
    /** Counts what is in memory. */
    readonly use: MemoryUse;
}
