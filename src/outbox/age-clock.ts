import type { Clock } from "../clock";
import type { MachineBoot } from "./machine-boot";

const dayMs = 24 * 60 * 60_000;
/** The part of a gap known only from the wall clock that counts before that clock has proved itself. */
const maxUnprovenMs = dayMs;
/** A wall clock that was not set for so long is right. */
const provenAfterMs = 10 * 60_000;
/** Between two looks a wall clock moves no more than this against the uptime, unless it is set. */
const stepMs = 1000;
/** A clock without a battery continues from a time that was saved or noted at most this long before the power went off. */
const savedWithinMs = 60_000;
/** A clock that is further ahead of one that was not trusted has perhaps got another wrong time, as with a newer image of the system. */
const maxUntrustedOffMs = 7 * dayMs;
/** Boots that begin so close to each other by the wall clock began with the same wrong time. */
const sameInstantMs = 10 * 60_000;
/** Where the system does not name its boots, one boot begins always at the same time, up to the rounding of the uptime. */
const sameBootMs = 10_000;
const keptInstants = 8;

/**
 * The clock by which stored events age, in milliseconds. It counts only time that has surely passed, so that no wrong wall clock makes an
 * event expire; in doubt an event is kept too long. Within a run it follows the monotonic clock and ignores the wall clock. Across runs it
 * goes on from the note in the file, ahead by the time in between as far as that is known. It starts at some wall time, and from then on has
 * nothing to do with it.
 *
 * What counts, and whether the run's wall clock is *trusted* to measure the time until a later boot:
 *
 * | the note is of                                      | counts                                       | trusted                        |
 * |-----------------------------------------------------|----------------------------------------------|--------------------------------|
 * | a run in this boot                                  | the difference of the uptimes                | as the noted run               |
 * | another boot; the wall clock is not ahead of it, or | nothing: the wall clock starts again with    | no                             |
 * | this boot began at the instant of an earlier one    | each boot                                    |                                |
 * | another boot, with a run that was not trusted       | nothing                                      | if this boot began 60 seconds  |
 * |                                                     |                                              | to 7 days after the noted time |
 * | another boot, with a trusted run                    | the difference of the wall clocks            | if this boot began more than   |
 * |                                                     |                                              | 60 seconds after it            |
 * | a version without notes                             | nothing                                      | as with one not trusted, after |
 * |                                                     |                                              | the time of the last event     |
 * | nobody: the file is new                             | nothing                                      | no                             |
 *
 * A wall clock may still be wrong when the file is opened. Therefore its difference counts in two states:
 *
 * | state    | counts                                                                           | left by                            |
 * |----------|----------------------------------------------------------------------------------|------------------------------------|
 * | unproven | at most 24 hours; a clock that is set back takes back what that disproves         | ten minutes without a step: proven |
 * | proven   | everything. If the clock is ahead of the one that opened the file, it is trusted | –                                  |
 */
export class AgeClock {
    readonly #clock: Clock;
    readonly #boot: MachineBoot;
    /** This clock minus the monotonic one. */
    #aheadMs: number;
    #run: Run | undefined;
    /** The wall clock minus this one, when that was set last. */
    #wallMinusAgeMs = Number.POSITIVE_INFINITY;

    constructor({ clock, boot }: AgeClockOptions) {
        this.#clock = clock;
        this.#boot = boot;
        this.#aheadMs = clock.now() - clock.monotonicMs();
    }

    now(): number {
        return this.at(this.#clock.monotonicMs());
    }

    /** What it shows at a moment of the monotonic clock. */
    at(monotonicMs: number): number {
        return monotonicMs + this.#aheadMs;
    }

    /**
     * The wall time of a moment of this clock. It is the same each time it is asked for, unless the wall clock was set meanwhile: the
     * two clocks do not tick at the same instant.
     */
    wallTimeMs(ageMs: number): number {
        const wallMinusAgeMs = this.#clock.now() - this.now();
        if (Math.abs(wallMinusAgeMs - this.#wallMinusAgeMs) > stepMs) this.#wallMinusAgeMs = wallMinusAgeMs;
        return Math.round(ageMs + this.#wallMinusAgeMs);
    }

    /** Continues from what a file holds. Returns by how much the clock moved: the events in memory are to move along. */
    opened({ note, lastCreatedAt }: FileTime): number {
        const noted = parseNote(note) ?? (lastCreatedAt === undefined ? undefined : unnoted(lastCreatedAt));
        if (!noted && this.#run) return 0;
        const reading = this.#read();
        const run = beginRun(noted, reading);
        this.#run = run;
        const continuedMs = noted ? noted.ageMs + run.uptimeGapMs + run.countedMs : this.now();
        const byMs = continuedMs - this.now();
        this.#aheadMs += byMs;
        return byMs;
    }

    /**
     * Looks at the wall clock; to be called about once a minute. Returns by how much the clock moved. Only events of earlier runs age by it:
     * those of this run are to move along.
     */
    look(): number {
        const run = this.#run;
        if (!run) return 0;
        const { uptimeMs, instantMs } = this.#read();
        if (Math.abs(instantMs - run.lastInstantMs) > stepMs) run.standsSinceMs = uptimeMs;
        run.lastInstantMs = instantMs;
        const aheadMs = instantMs - run.openedInstantMs;
        if (!run.isProven && aheadMs < -stepMs) run.gapMs = Math.min(run.gapMs, Math.max(run.openedGapMs + aheadMs, 0));
        if (uptimeMs - run.standsSinceMs >= provenAfterMs) {
            run.isProven = true;
            if (aheadMs > stepMs) run.isTrusted = true;
        }
        const byMs = countable(run) - run.countedMs;
        run.countedMs += byMs;
        this.#aheadMs += byMs;
        return byMs;
    }

    /** What the file is to hold of this run, as text. Empty before the first opening. */
    note(): string {
        if (!this.#run) return "";
        const { wallMs, uptimeMs, bootId } = this.#read();
        const { isTrusted, bootInstants } = this.#run;
        const note: ClockNote = { ageMs: Math.round(this.now()), wallMs, uptimeMs, bootId, isTrusted, bootInstants };
        return JSON.stringify(note);
    }

    #read(): Reading {
        const wallMs = this.#clock.now();
        const uptimeMs = this.#boot.uptimeMs();
        return { wallMs, uptimeMs, instantMs: wallMs - uptimeMs, bootId: this.#boot.id };
    }
}

/** What the clock reads. */
export interface AgeClockOptions {
    readonly clock: Clock;
    readonly boot: MachineBoot;
}

/** What a file holds that tells its time. */
export interface FileTime {
    /** What `note` returned last; empty when no run has left one. */
    readonly note: string;
    /** When the last event entered the file; undefined when it holds none. */
    readonly lastCreatedAt: number | undefined;
}

/** What the file holds of the run that used it last. */
interface ClockNote {
    readonly ageMs: number;
    readonly wallMs: number;
    /** Undefined when the run left no note, so that its boot is not known. */
    readonly uptimeMs?: number | undefined;
    readonly bootId?: string | undefined;
    readonly isTrusted: boolean;
    /** When the last boots began by the wall clock that opened the file, the oldest first. */
    readonly bootInstants: readonly number[];
}

/** The clocks of the machine, all read at one time. */
interface Reading {
    readonly wallMs: number;
    readonly uptimeMs: number;
    /** When the machine was started, by this wall clock. */
    readonly instantMs: number;
    readonly bootId: string | undefined;
}

/** What is known of the time between the noted run and this one. */
interface Run {
    readonly uptimeGapMs: number;
    readonly openedInstantMs: number;
    /** The gap by the wall clock that opened the file. */
    readonly openedGapMs: number;
    readonly bootInstants: readonly number[];
    /** What is left of that gap, and how much of it counts. */
    gapMs: number;
    countedMs: number;
    isProven: boolean;
    isTrusted: boolean;
    lastInstantMs: number;
    /** The uptime from which on the wall clock was not set. */
    standsSinceMs: number;
}

function beginRun(noted: ClockNote | undefined, reading: Reading): Run {
    const { wallMs, uptimeMs, instantMs } = reading;
    const begun = { openedInstantMs: instantMs, lastInstantMs: instantMs, standsSinceMs: uptimeMs, isProven: false };
    const noGap = { uptimeGapMs: 0, openedGapMs: 0, gapMs: 0, countedMs: 0 };
    if (!noted) return { ...begun, ...noGap, isTrusted: false, bootInstants: [instantMs] };
    const { bootInstants, isTrusted } = noted;
    if (isSameBoot(noted, reading)) {
        const uptimeGapMs = Math.max(uptimeMs - (noted.uptimeMs ?? uptimeMs), 0);
        return { ...begun, ...noGap, uptimeGapMs, isTrusted, bootInstants };
    }
    const others = bootInstants.filter((each) => Math.abs(each - instantMs) > sameInstantMs);
    const known = [...others, instantMs].slice(-keptInstants);
    const gapMs = wallMs - noted.wallMs;
    const startsAgain = gapMs <= 0 || others.length < bootInstants.length;
    if (startsAgain) return { ...begun, ...noGap, isTrusted: false, bootInstants: known };
    const offMs = instantMs - noted.wallMs;
    const goesOn = offMs > savedWithinMs;
    if (!isTrusted) return { ...begun, ...noGap, isTrusted: goesOn && offMs < maxUntrustedOffMs, bootInstants: known };
    const run = { ...begun, uptimeGapMs: 0, openedGapMs: gapMs, gapMs, countedMs: 0, isTrusted: goesOn, bootInstants: known };
    return { ...run, countedMs: countable(run) };
}

function countable({ gapMs, isProven }: Pick<Run, "gapMs" | "isProven">): number {
    return isProven ? gapMs : Math.min(gapMs, maxUnprovenMs);
}

function isSameBoot(noted: ClockNote, { bootId, instantMs }: Reading): boolean {
    if (noted.uptimeMs === undefined) return false;
    if (bootId !== undefined && noted.bootId !== undefined) return bootId === noted.bootId;
    return Math.abs(noted.wallMs - noted.uptimeMs - instantMs) <= sameBootMs;
}

/** A run of which only its events are known. */
function unnoted(lastCreatedAt: number): ClockNote {
    return { ageMs: lastCreatedAt, wallMs: lastCreatedAt, isTrusted: false, bootInstants: [] };
}

/** Reads a note back; undefined when it is none. */
function parseNote(text: string): ClockNote | undefined {
    let parsed: unknown;
    try {
        parsed = JSON.parse(text);
    } catch {
        return undefined;
    }
    return isNote(parsed) ? parsed : undefined;
}

function isNote(value: unknown): value is ClockNote {
    if (typeof value !== "object" || value === null) return false;
    const { ageMs, wallMs, uptimeMs, bootId, isTrusted, bootInstants }: Partial<Record<keyof ClockNote, unknown>> = value;
    if (!Number.isFinite(ageMs) || !Number.isFinite(wallMs) || !Number.isFinite(uptimeMs)) return false;
    if (bootId !== undefined && typeof bootId !== "string") return false;
    return typeof isTrusted === "boolean" && Array.isArray(bootInstants) && bootInstants.every((each) => Number.isFinite(each));
}
