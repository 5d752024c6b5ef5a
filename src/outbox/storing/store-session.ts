import type { Clock, Timer } from "../../clock";
import type { Admission } from "../admission";
import type { AgeClock } from "../age-clock";
import type { EventLifecycle } from "../event-lifecycle";
import type { ExpirySweep } from "../expiry-sweep";
import type { LatestIndex } from "../queue/latest-index";
import type { WaitingEvents } from "../queue/waiting-events";
import type { Dispatcher } from "../sending/dispatcher";
import type { DeviceTotal, EventStore, StoreContents } from "../store/store";
import type { Supersession } from "../supersession";
import type { UndeliveredEvents } from "../undelivered/undelivered-events";
import type { GroupWriter } from "./group-writer";

/** A thread that died, or a file that somebody locked for a moment, is back within seconds: so long order is worth the wait. */
const interruptionMs = 10_000;
const retryMs = 1000;
/** What is asked for at a time while it is found out which devices have something in the store. */
const totalsAtOnce = 5000;
/** So often the wall clock is looked at, and the file learns what time it is. */
const lookEveryMs = 60_000;

/** Brings together what is in memory and what is in the store, whenever the store is opened, and numbers the events of both. */
export class StoreSession {
    readonly #options: StoreSessionOptions;
    #lastSeq = 0;
    /** Events with larger numbers were admitted by this process. */
    #runStartSeq = 0;
    /** By how much the clock was moved while the times of this run's events in the store were not. */
    #unmovedMs = 0;
    #timer: Timer | undefined;
    #lookTimer: Timer | undefined;
    /** Whether it is known what the store holds. */
    #isTakenOver = false;
    #isTakingOver = false;
    #isDisposed = false;
    /** Counts the openings: what is found out about an earlier one is void. */
    #openings = 0;

    constructor(options: StoreSessionOptions) {
        this.#options = options;
    }

    /** Begins: the store may answer before this returns. */
    start(): void {
        const { store, ageClock } = this.#options;
        store?.attach({
            opened: (contents) => this.#opened(contents),
            closed: () => this.#closed(),
            clockNote: () => ageClock.note(),
        });
    }

    /** The largest number given to an event so far. */
    get lastSeq(): number {
        return this.#lastSeq;
    }

    /** Whether it is being found out what the store holds. */
    get isTakingOver(): boolean {
        return this.#isTakingOver;
    }

    /** The number of a new event. */
    nextSeq(): number {
        return ++this.#lastSeq;
    }

    /** Waits for nothing any more. */
    dispose(): void {
        this.#isDisposed = true;
        this.#interrupt();
        this.#lookTimer?.cancel();
    }

    #interrupt(): void {
        this.#openings += 1;
        this.#timer?.cancel();
    }

    #lookLater(): void {
        this.#lookTimer?.cancel();
        this.#lookTimer = this.#options.clock.setTimer(lookEveryMs, () => {
            this.#lookLater();
            this.#look();
        });
    }

    /** Time of which only the wall clock knows ages the events of earlier runs, as far as it is believed by now. */
    #look(): void {
        const { store, ageClock, writer } = this.#options;
        const byMs = ageClock.look();
        if (byMs !== 0) this.#clockMoved(byMs);
        else if (writer.stored.access === "open") store?.commit([], [], () => {});
    }

    #clockMoved(byMs: number): void {
        const { writer, waiting, dispatcher } = this.#options;
        for (const entry of dispatcher.inMemory()) if (entry.seq > this.#runStartSeq || entry.latest?.isOfThisRun) entry.moveTimes(byMs);
        if (writer.stored.access === "opening") return;
        this.#unmovedMs += byMs;
        if (writer.stored.access !== "open") return;
        this.#moveTimes(byMs);
        // What is on its way into memory has the old times.
        waiting.readAgain();
        dispatcher.resume();
    }

    #moveTimes(byMs: number): void {
        const { store, sweep } = this.#options;
        store?.shiftTimes(this.#runStartSeq, byMs, (error) => {
            if (error) return;
            this.#unmovedMs -= byMs;
            sweep.check();
        });
    }

    #opened(contents: StoreContents): void {
        if (this.#isDisposed) return;
        const { writer, waiting } = this.#options;
        this.#interrupt();
        if (!contents.isContinued || !this.#isTakenOver) {
            this.#takeOver(contents);
            return;
        }
        this.#options.undelivered.opened(contents.undelivered, true);
        // Events have passed others that could not be read: those come next now.
        if (writer.stored.access === "closed" && waiting.isSomeOnlyStored) waiting.restart([...waiting.inMemory()]);
        this.#goOn();
    }

    /** The store holds events of an earlier run, or has lost what it held: the events in memory get numbers behind them and are all unsaved. */
    #takeOver(contents: StoreContents): void {
        const { lifecycle, writer, latest, waiting, dispatcher, ageClock, undelivered } = this.#options;
        const shift = contents.lastSeq;
        this.#isTakenOver = false;
        this.#lastSeq += shift;
        this.#runStartSeq = shift;
        this.#unmovedMs = 0;
        const byMs = ageClock.opened(contents.time);
        for (const entry of dispatcher.inMemory()) entry.moveTimes(byMs);
        this.#lookLater();
        const queued = [...dispatcher.inMemory()].filter((entry) => !entry.isDelivered).sort((a, b) => a.seq - b.seq);
        for (const entry of dispatcher.inMemory()) entry.renumber(shift);
        for (const entry of queued) writer.unsaved.remove(entry);
        writer.stored.forgetRows();
        latest.forgetStored();
        undelivered.opened(contents.undelivered, false);
        lifecycle.restart(queued, contents);
        for (const entry of queued) writer.unsaved.storeNow(entry);
        waiting.restart(
            queued.filter(({ state }) => state === "waiting"),
            { isEmpty: true },
        );
        this.#isTakingOver = contents.events > 0;
        if (this.#isTakingOver) this.#readDevices(this.#openings, undefined);
        else this.#goOn();
    }

    /** Finds out what each device has in the store; nothing is sent meanwhile. */
    #readDevices(opening: number, after: DeviceTotal | undefined): void {
        const { store, waiting, lifecycle } = this.#options;
        store?.readDevices(after, totalsAtOnce, (error, { totals, isComplete }) => {
            if (opening !== this.#openings) return;
            if (error) {
                this.#timer = this.#options.clock.setTimer(retryMs, () => this.#readDevices(opening, after));
                return;
            }
            for (const total of totals) {
                waiting.addStored(total);
                lifecycle.addStored(total);
            }
            if (isComplete) this.#readLatest(opening, 0);
            else this.#readDevices(opening, totals.at(-1));
        });
    }

    /** Finds out what newer events supersede. */
    #readLatest(opening: number, after: number): void {
        const { store, supersession } = this.#options;
        store?.readLatest(after, totalsAtOnce, (error, { events, isComplete }) => {
            if (opening !== this.#openings) return;
            if (error) {
                this.#timer = this.#options.clock.setTimer(retryMs, () => this.#readLatest(opening, after));
                return;
            }
            this.#dissolveLines();
            for (const event of events) supersession.takeOver(event);
            if (isComplete) this.#goOn();
            else this.#readLatest(opening, events.at(-1)?.seq ?? after);
        });
    }

    /** What has got into a line while the store was being read does not precede what is stored. */
    #dissolveLines(): void {
        const { waiting } = this.#options;
        if (waiting.hasLines) waiting.restart([...waiting.inMemory()]);
    }

    #goOn(): void {
        const { writer, sweep, admission, dispatcher, supersession } = this.#options;
        this.#isTakenOver = true;
        this.#isTakingOver = false;
        writer.stored.opened();
        supersession.settleAll();
        if (this.#unmovedMs !== 0) this.#moveTimes(this.#unmovedMs);
        writer.resume();
        sweep.check();
        admission.trim();
        dispatcher.resume();
    }

    #closed(): void {
        if (this.#isDisposed) return;
        const { writer, clock, undelivered } = this.#options;
        writer.pause();
        undelivered.closed();
        this.#interrupt();
        this.#isTakingOver = false;
        if (writer.stored.access === "open") {
            writer.stored.interrupted();
            this.#timer = clock.setTimer(interruptionMs, () => this.#goOnWithout());
        } else if (writer.stored.access === "opening") {
            this.#goOnWithout();
        }
    }

    /** The rest goes on without what is in the store. */
    #goOnWithout(): void {
        const { writer, waiting, dispatcher } = this.#options;
        writer.stored.closed();
        waiting.bringIn();
        dispatcher.resume();
    }
}

/** What is concerned when the store becomes reachable or stops being so. */
export interface StoreSessionOptions {
    readonly clock: Clock;
    readonly ageClock: AgeClock;
    readonly store: EventStore | undefined;
    readonly lifecycle: EventLifecycle;
    readonly writer: GroupWriter;
    readonly latest: LatestIndex;
    readonly supersession: Supersession;
    readonly waiting: WaitingEvents;
    readonly dispatcher: Dispatcher;
    readonly admission: Admission;
    readonly sweep: ExpirySweep;
    readonly undelivered: UndeliveredEvents;
}
