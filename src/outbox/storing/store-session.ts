import type { Clock, Timer } from "../../clock";
import type { Admission } from "../admission";
import type { EventLifecycle } from "../event-lifecycle";
import type { ExpirySweep } from "../expiry-sweep";
import type { SpillContext } from "../queue/spill-queue";
import type { WaitingEvents } from "../queue/waiting-events";
import type { Dispatcher } from "../sending/dispatcher";
import type { StoreContents } from "../store/store";
import { correctTimes } from "../wall-clock";
import type { GroupWriter } from "./group-writer";

/** What is concerned when the store becomes reachable or stops being so. */
export interface StoreSessionOptions {
    readonly clock: Clock;
    readonly context: SpillContext;
    readonly lifecycle: EventLifecycle;
    readonly writer: GroupWriter;
    readonly waiting: WaitingEvents;
    readonly dispatcher: Dispatcher;
    readonly admission: Admission;
    readonly sweep: ExpirySweep;
}

/** A thread that died, or a file that somebody locked for a moment, is back within seconds: so long order is worth the wait. */
const interruptionMs = 10_000;

/** Brings together what is in memory and what is in the store, whenever the store is opened, and numbers the events of both. */
export class StoreSession {
    readonly #options: StoreSessionOptions;
    #lastSeq = 0;
    /** Events with larger numbers were admitted by this process. */
    #runStartSeq = 0;
    /** The clock was set by so much, but the times of this run's events in the store were not moved yet. */
    #unmovedMs = 0;
    #interruption: Timer | undefined;

    constructor(options: StoreSessionOptions) {
        this.#options = options;
    }

    /** Begins: the store may answer before this returns. */
    start(): void {
        this.#options.context.store.attach({ opened: (contents) => this.#opened(contents), closed: () => this.#closed() });
    }

    /** The largest number given to an event so far. */
    get lastSeq(): number {
        return this.#lastSeq;
    }

    /** The number of a new event. */
    nextSeq(): number {
        return ++this.#lastSeq;
    }

    /** The wall clock was set: events keep the age they have. */
    clockJumped(byMs: number, nowMs: number): void {
        const { context, waiting, dispatcher } = this.#options;
        correctTimes(dispatcher.inMemory(), { byMs, runStartSeq: this.#runStartSeq, nowMs });
        if (context.access === "opening") return;
        this.#unmovedMs += byMs;
        if (context.access !== "open") return;
        this.#moveTimes(byMs);
        // What is on its way into memory has the old times.
        waiting.readAgain();
        dispatcher.resume();
    }

    /** Waits for nothing any more. */
    dispose(): void {
        this.#interruption?.cancel();
    }

    #moveTimes(byMs: number): void {
        const { context, sweep } = this.#options;
        context.store.shiftTimes(this.#runStartSeq, byMs, (error) => {
            if (error) return;
            this.#unmovedMs -= byMs;
            sweep.check();
        });
    }

    #opened(contents: StoreContents): void {
        const { context, writer, sweep, admission, dispatcher } = this.#options;
        if (!contents.isContinued) this.#renumber(contents);
        this.dispose();
        context.access = "open";
        if (this.#unmovedMs !== 0) this.#moveTimes(this.#unmovedMs);
        writer.resume();
        sweep.check();
        admission.trim();
        dispatcher.resume();
    }

    #closed(): void {
        const { context, writer, clock } = this.#options;
        writer.pause();
        if (context.access === "open") {
            context.access = "interrupted";
            this.#interruption = clock.setTimer(interruptionMs, () => this.#goOn());
        } else if (context.access === "opening") {
            this.#goOn();
        }
    }

    /** The rest goes on without what is in the store. */
    #goOn(): void {
        const { context, dispatcher } = this.#options;
        context.access = "closed";
        dispatcher.resume();
    }

    /** The store holds events of an earlier run, or lost what it held: the events in memory get numbers behind them and are all unsaved. */
    #renumber(contents: StoreContents): void {
        const { context, lifecycle, writer, waiting, dispatcher } = this.#options;
        const shift = contents.lastSeq;
        const entries = [...dispatcher.inMemory()];
        for (const entry of entries) {
            entry.seq += shift;
            entry.saved = "no";
        }
        this.#lastSeq += shift;
        this.#runStartSeq = shift;
        this.#unmovedMs = 0;
        lifecycle.renumber(entries, contents);
        writer.reset();
        waiting.renumber(shift, contents.lastSeq);
        for (const entry of entries) {
            entry.deviceQueue?.reaccount(entry);
            if (context.store.isDurable || entry.tailOf) writer.save(entry);
        }
    }
}
