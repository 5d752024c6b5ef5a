import type { Trial } from "./trial";

/** How long a test waits for its packet to be sent, and for the acknowledgement. */
const limitMs = 5_000;
/** After this time an event without an acknowledgement counts as withheld, when a ping sent after it was answered. */
const drainMs = 1_000;
const pollMs = 20;

/**
 * The test of one suspect, which has the connection for itself meanwhile. If the connection ends after its packet was sent, the suspect is
 * the only one that can be the reason.
 *
 * | stage | waits for | then |
 * |---|---|---|
 * | `draining` | the acknowledgement of everything sent before, and the answer to a ping: the connection works | `granted` |
 * | `granted` | its packet | `sent`; after 5 s: `unsent` |
 * | `sent` | the acknowledgement | `acknowledged`; when a ping is answered after 5 s: `withheld` |
 * | `acknowledged` | the quiet time after it | `passed` |
 */
export class SuspectTest {
    readonly trial: Trial;
    /** Whether something else was acknowledged on this connection before it. */
    readonly isProven: boolean;
    readonly #options: SuspectTestOptions;
    #stage: TestStage = "draining";
    #sinceMs: number;
    #isProbing = false;
    #hasPinged = false;
    #isAlive = false;

    constructor(trial: Trial, options: SuspectTestOptions, nowMs: number) {
        this.trial = trial;
        this.isProven = options.isProven;
        this.#options = options;
        this.#sinceMs = nowMs;
        trial.begin();
    }

    /** Whether its packet may be sent now. */
    get isGranted(): boolean {
        return this.#stage === "granted";
    }

    /** Whether its packet is on the wire, or was acknowledged less than the quiet time ago. */
    get isSuspect(): boolean {
        return this.#stage === "sent" || this.#stage === "acknowledged";
    }

    /** Since when its packet has been acknowledged. */
    get acknowledgedMs(): number | undefined {
        return this.#stage === "acknowledged" ? this.#sinceMs : undefined;
    }

    /** Goes on where the time or the connection allow it. Returns the outcome when there is one. */
    advance(nowMs: number): TestOutcome | undefined {
        const isLate = nowMs - this.#sinceMs >= limitMs;
        switch (this.#stage) {
            case "draining":
                if (this.#isFree(nowMs)) this.#enter("granted", nowMs);
                return undefined;
            case "granted":
                return isLate ? "unsent" : undefined;
            case "sent":
                if (isLate) this.#probe();
                return this.#isProbing && this.#isAlive ? "withheld" : undefined;
            case "acknowledged":
                return nowMs - this.#sinceMs >= this.#options.quietMs ? "passed" : undefined;
        }
    }

    /** When to advance again at the latest; infinite when only an answer can change something. */
    nextMs(nowMs: number): number {
        switch (this.#stage) {
            case "draining":
                return nowMs + pollMs;
            case "granted":
                return this.#sinceMs + limitMs;
            case "sent":
                return this.#isProbing ? Number.POSITIVE_INFINITY : this.#sinceMs + limitMs;
            case "acknowledged":
                return this.#sinceMs + this.#options.quietMs;
        }
    }

    sent(nowMs: number): void {
        this.#enter("sent", nowMs);
    }

    acknowledged(nowMs: number): void {
        if (this.#stage === "sent") this.#enter("acknowledged", nowMs);
    }

    #isFree(nowMs: number): boolean {
        const { link, pingsFirst } = this.#options;
        if (link.dueCount === 0 && !pingsFirst) return true;
        if (!this.#hasPinged) this.#ping();
        return this.#isAlive && (link.dueCount === 0 || nowMs - this.#sinceMs >= drainMs);
    }

    #probe(): void {
        if (this.#isProbing) return;
        this.#isProbing = true;
        this.#ping();
    }

    #ping(): void {
        this.#hasPinged = true;
        this.#isAlive = false;
        const { link, changed } = this.#options;
        link.ping(() => {
            this.#isAlive = true;
            changed();
        });
    }

    #enter(stage: TestStage, nowMs: number): void {
        this.#stage = stage;
        this.#sinceMs = nowMs;
    }
}

/** `unsent`: nothing was sent. `withheld`: no acknowledgement, while pings are answered. */
export type TestOutcome = "passed" | "unsent" | "withheld";

/** The connection, as far as a test needs it. */
export interface SuspectLink {
    /** Publishes whose acknowledgement is due. */
    readonly dueCount: number;
    /** How many publishes were acknowledged on this connection. */
    readonly acknowledgedCount: number;
    /** Sends PINGREQ. `answered` is called at the PINGRESP, unless the connection ends first. */
    ping(answered: () => void): void;
}

interface SuspectTestOptions {
    readonly link: SuspectLink;
    readonly isProven: boolean;
    readonly quietMs: number;
    readonly pingsFirst: boolean;
    /** A ping was answered: advance again. */
    changed(): void;
}

type TestStage = "draining" | "granted" | "sent" | "acknowledged";
