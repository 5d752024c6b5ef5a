import type { Clock, Timer } from "../../clock";
import type { SentPacket } from "../../connection/sent-packet";
import { type SuspectLink, SuspectTest, type TestOutcome } from "./suspect-test";
import type { Trial } from "./trial";

/** A suspect is innocent when its acknowledgement is this old and the connection still there. */
const quietMs = 1_000;
/** This number of tests on a connection take the whole quiet time; the others share 10 s. */
const thoroughTests = 8;
const hurriedTotalMs = 10_000;
const shortestQuietMs = 20;
/** How long subscriptions may take to be requested after the clients may use the connection. */
const claimMs = 200;
/** The window of a careful connection grows by each acknowledgement, until it is this wide or nothing was sent for a while. */
const fullWindow = 64;
const idleMs = 250;
const longestRampMs = 5_000;
const pollMs = 20;

/**
 * One connection during the search for a culprit: who may send when.
 *
 * | phase | what may be sent | left for |
 * |---|---|---|
 * | `filters` | subscriptions: one at a time, and at once those answered on an earlier connection | `ramp`, when all are answered |
 * | `ramp` | what is not suspected, in a window that grows from 1 | `tests`, at the full window or when nothing is left to send |
 * | `tests` | one suspect at a time, each alone | `open`, when all have passed |
 * | `open` | everything; a suspect that waits is tested when its time comes | |
 *
 * A connection that is not careful begins with `open`.
 */
export class SearchedConnection {
    readonly #clock: Clock;
    readonly #link: SuspectLink;
    readonly #owner: SearchedConnectionOwner;
    readonly #connectedMs: number;
    #phase: SearchPhase;
    #phaseSinceMs: number;
    /** Whether the clients may use the connection: until then they send nothing but the first subscription. */
    #isUsed = false;
    /** Of the ramp: when something was last on the wire. */
    #busyMs: number;
    #testsDone = 0;
    /** What is left of the time that the tests in a hurry share. */
    #hurriedLeftMs = hurriedTotalMs;
    #hasPassedEvent = false;
    #test: SuspectTest | undefined;
    /** Tests in a hurry: acknowledged, and the quiet time is not over. */
    #cooling: SuspectTest[] = [];
    #timer: Timer | undefined;
    #isStepping = false;
    #stepsAgain = false;

    constructor(clock: Clock, link: SuspectLink, isCareful: boolean, owner: SearchedConnectionOwner) {
        const nowMs = clock.monotonicMs();
        this.#clock = clock;
        this.#link = link;
        this.#owner = owner;
        this.#connectedMs = nowMs;
        this.#phaseSinceMs = nowMs;
        this.#busyMs = nowMs;
        this.#phase = isCareful ? "filters" : "open";
    }

    /** The clients may use the connection from now on. */
    use(): void {
        this.#isUsed = true;
        this.#phaseSinceMs = this.#clock.monotonicMs();
        this.step();
    }

    get phase(): SearchPhase {
        return this.#phase;
    }

    /** Whether it has carried suspected events, and none of them ended it. */
    get isProven(): boolean {
        return this.#phase === "open" && this.#hasPassedEvent;
    }

    /** The suspect whose test is under way. */
    get tested(): Trial | undefined {
        return this.#test?.trial;
    }

    /** Whether events may be sent now, as far as the whole connection is concerned. */
    get allowsEvents(): boolean {
        if (this.#test) return this.#test.isGranted && this.#test.trial.packet.kind === "event";
        if (this.#phase === "ramp") return this.#link.dueCount < 1 + this.#link.acknowledgedCount;
        return this.#phase === "open";
    }

    /** Whether a packet that is not suspected must wait, because others are tested or are to be. */
    isReserved({ kind }: Pick<SentPacket, "kind">): boolean {
        if (this.#test !== undefined || this.#phase === "tests") return true;
        return this.#phase === "filters" && kind !== "filter";
    }

    /** Whether it is this suspect's turn to be sent. */
    isTurnOf(trial: Trial): boolean {
        return this.#test?.trial === trial && this.#test.isGranted;
    }

    /** When a suspect is tested, if the connection lasts. */
    dueMs(trial: Trial): number {
        return trial.dueMs(this.#connectedMs);
    }

    /** Whether a suspect may be tested now, as far as its own wait is concerned. */
    isDue(trial: Trial): boolean {
        return this.#phase === "open" && this.#clock.monotonicMs() >= this.dueMs(trial);
    }

    /** The packet of the suspect under test was sent. */
    sent(): void {
        this.#test?.sent(this.#clock.monotonicMs());
        this.step();
    }

    /** The packet of a suspect was acknowledged. */
    acknowledged(trial: Trial): void {
        if (this.#test?.trial !== trial) return;
        this.#test.acknowledged(this.#clock.monotonicMs());
        this.step();
    }

    /** The suspect is none any more, or has nothing to send. */
    forget(trial: Trial): void {
        if (this.#test?.trial === trial) this.#test = undefined;
        this.#cooling = this.#cooling.filter((test) => test.trial !== trial);
        this.step();
    }

    /** Whether the packet of this suspect may be the reason if the connection ends now. */
    isOnTrial(trial: Trial): boolean {
        return this.#tests().some((test) => test.trial === trial && test.isSuspect);
    }

    /** The connection ended: the tests whose packets may be the reason. */
    end(): SuspectTest[] {
        this.#timer?.cancel();
        const nowMs = this.#clock.monotonicMs();
        return this.#tests().filter((test) => test.isSuspect && nowMs - (test.acknowledgedMs ?? nowMs) < quietMs);
    }

    /** Does what has become possible, and sets the timer for what comes next. */
    step(): void {
        this.#stepsAgain = true;
        if (this.#isStepping) return;
        this.#isStepping = true;
        while (this.#stepsAgain) this.#stepsAgain = this.#advance(this.#clock.monotonicMs());
        this.#isStepping = false;
        this.#schedule();
    }

    /** Does one thing that is due. Returns whether there was one. */
    #advance(nowMs: number): boolean {
        const [cooled] = this.#cooling;
        if (cooled && nowMs - (cooled.acknowledgedMs ?? nowMs) >= quietMs) {
            this.#cooling.shift();
            if (cooled.trial.packet.kind === "event") this.#hasPassedEvent = true;
            this.#owner.passed(cooled.trial);
            return true;
        }
        if (this.#test) return this.#advanceTest(this.#test, nowMs);
        const next = this.#nextTrial(nowMs);
        if (next) this.#begin(next, nowMs);
        else if (this.#isPhaseOver(nowMs)) this.#enterNextPhase(nowMs);
        else return false;
        return true;
    }

    #isPhaseOver(nowMs: number): boolean {
        switch (this.#phase) {
            case "filters":
                return this.#isUsed && nowMs - this.#phaseSinceMs >= claimMs && this.#cooling.length === 0;
            case "ramp":
                if (this.#link.dueCount > 0) this.#busyMs = nowMs;
                if (this.#link.acknowledgedCount >= fullWindow) return true;
                return nowMs - this.#busyMs >= idleMs || nowMs - this.#phaseSinceMs >= longestRampMs;
            case "tests":
                return this.#cooling.length === 0;
            case "open":
                return false;
        }
    }

    #enterNextPhase(nowMs: number): void {
        this.#phase = nextPhase[this.#phase];
        this.#phaseSinceMs = nowMs;
        this.#busyMs = nowMs;
        this.#owner.phaseChanged(this.#phase);
    }

    #nextTrial(nowMs: number): Trial | undefined {
        if (this.#phase === "ramp") return undefined;
        const due = [...this.#owner.trials()].filter((trial) => this.#mayBegin(trial, nowMs));
        if (this.#phase === "open") return due.sort((one, other) => one.dueMs(0) - other.dueMs(0))[0];
        due.sort((one, other) => this.#owner.rankOf(one) - this.#owner.rankOf(other));
        // The least likely one goes first where nothing else shows that the connection carries events.
        const isWarmUp = this.#phase === "tests" && this.#link.acknowledgedCount === 0;
        return isWarmUp ? due.at(-1) : due[0];
    }

    #mayBegin(trial: Trial, nowMs: number): boolean {
        if (this.#phase === "open") return trial.isIdle && trial.isWanted && nowMs >= this.dueMs(trial);
        return trial.state === "parked" && (this.#phase === "tests" || trial.packet.kind === "filter");
    }

    #begin(trial: Trial, nowMs: number): void {
        trial.begin();
        if (trial.isUnanswered) {
            trial.client.wake(trial.packet);
            return;
        }
        const waiting = [...this.#owner.trials()].filter(({ state }) => state === "parked").length;
        const options = {
            link: this.#link,
            // A subscription is tested before the first event is sent.
            isProven: trial.packet.kind === "filter" || this.#link.acknowledgedCount > 0 || waiting === 0,
            quietMs: this.#quietMs(waiting),
            pingsFirst: this.#phase === "open",
            changed: () => this.step(),
        };
        this.#test = new SuspectTest(trial, options, nowMs);
        this.#testsDone += 1;
        this.#owner.testBegan(trial);
    }

    /** How long the next test waits after its acknowledgement. */
    #quietMs(waiting: number): number {
        if (this.#phase === "open" || this.#testsDone < thoroughTests) return quietMs;
        const shareMs = Math.min(Math.max(this.#hurriedLeftMs / (waiting + 1), shortestQuietMs), quietMs);
        this.#hurriedLeftMs -= shareMs;
        return shareMs;
    }

    #advanceTest(test: SuspectTest, nowMs: number): boolean {
        const wasGranted = test.isGranted;
        const outcome = test.advance(nowMs);
        if (outcome) this.#finish(test, outcome);
        else if (!wasGranted && test.isGranted) test.trial.client.wake(test.trial.packet);
        else return false;
        return true;
    }

    #finish(test: SuspectTest, outcome: TestOutcome): void {
        const { trial } = test;
        this.#test = undefined;
        switch (outcome) {
            case "passed":
                this.#cooling.push(test);
                break;
            case "withheld":
                trial.withhold();
                this.#owner.withheld(trial);
                break;
            case "unsent":
                this.#owner.unsent(trial);
        }
        this.#owner.testEnded();
    }

    #tests(): SuspectTest[] {
        return this.#test ? [...this.#cooling, this.#test] : this.#cooling;
    }

    #schedule(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        const nowMs = this.#clock.monotonicMs();
        const nextMs = Math.min(...this.#nextTimesMs(nowMs));
        if (nextMs === Number.POSITIVE_INFINITY) return;
        // Whole milliseconds: a fraction less than is due would come to nothing and be due again.
        this.#timer = this.#clock.setTimer(Math.max(Math.ceil(nextMs - nowMs), 1), () => this.step());
    }

    *#nextTimesMs(nowMs: number): Generator<number> {
        const [cooling] = this.#cooling;
        if (cooling) yield (cooling.acknowledgedMs ?? nowMs) + quietMs;
        if (this.#test) yield this.#test.nextMs(nowMs);
        else if (this.#phase === "filters" && this.#isUsed && this.#cooling.length === 0) yield this.#phaseSinceMs + claimMs;
        else if (this.#phase === "ramp") yield nowMs + pollMs;
        else if (this.#phase === "open") for (const trial of this.#owner.trials()) if (trial.isIdle) yield this.dueMs(trial);
    }
}

export type SearchPhase = "filters" | "ramp" | "tests" | "open";

const nextPhase = { filters: "ramp", ramp: "tests", tests: "open", open: "open" } as const satisfies Record<SearchPhase, SearchPhase>;

/** The search that the connection is a part of. */
export interface SearchedConnectionOwner {
    trials(): Iterable<Trial>;
    /** How likely a suspect is the culprit; 0 = the most. */
    rankOf(trial: Trial): number;
    phaseChanged(phase: SearchPhase): void;
    testBegan(trial: Trial): void;
    /** The connection is free for others, or for the next test. */
    testEnded(): void;
    passed(trial: Trial): void;
    /** The server does not acknowledge it. */
    withheld(trial: Trial): void;
    /** Nothing was sent for it. */
    unsent(trial: Trial): void;
}
