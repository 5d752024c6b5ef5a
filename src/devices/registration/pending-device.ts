import type { Hold, Refusal, RegistrationKind, RegistrationPhase, RegistrationState } from "./registration-types";

/**
 * Where the registration attempt of a device stands. `idle`: nothing is under way. `waiting`: queued for a slot. `granted`: it has a
 * slot and may be sent. `sent`: on its way. `acknowledged`: not yet confirmed. `unconfirmed`: queued to be tried alone.
 */
type PendingStage = "idle" | "waiting" | "granted" | "sent" | "acknowledged" | "unconfirmed" | "held";

/** A device that is not known, and its registration attempt. */
export class PendingDevice {
    readonly device: string;
    #stage: PendingStage = "idle";
    /** Changes with the stage, so that a deadline set in an earlier one is recognised as stale. */
    version = 0;
    kind: RegistrationKind | undefined;
    /** Only one of these is under way at a time: a packet without an id then tells of this one. */
    exclusive = false;
    /** Its number on the connection. */
    sequence = 0;
    /** Monotonic milliseconds. */
    sentMs = 0;
    acknowledgedMs = 0;
    /** When the patience with what it does with its slot ends. */
    slotDueMs = 0;
    /** How many registrations the platform had pending, beside this one, when it answered this one. */
    otherPending = 0;
    /** The platform has not answered for long. */
    unanswered = false;
    /** A SUBSCRIBE that was answered with a failure. */
    rejected = false;
    /** A stray packet without a notification came in while this was in flight. */
    ambiguous = false;
    /** What a notification said before the acknowledgement came. */
    refusal: Refusal | undefined;
    /** The last hold; kept when it is over, for its number of failures. */
    hold: Hold | undefined;

    constructor(device: string) {
        this.device = device;
    }

    get stage(): PendingStage {
        return this.#stage;
    }

    set stage(stage: PendingStage) {
        this.#stage = stage;
        this.version++;
    }

    /** Whether it has been sent and its outcome is open. */
    get isInFlight(): boolean {
        return this.#stage === "sent" || this.#stage === "acknowledged";
    }

    /** Clears what an earlier attempt left. */
    beginAttempt(): void {
        this.kind = undefined;
        this.unanswered = false;
        this.rejected = false;
        this.ambiguous = false;
        this.refusal = undefined;
    }

    get state(): RegistrationState {
        const phase = this.#phase;
        return phase === "held" && this.hold ? { phase, hold: this.hold } : { phase };
    }

    get #phase(): RegistrationPhase {
        switch (this.#stage) {
            case "idle":
                return this.hold ? "held" : "new";
            case "granted":
                return "contacting";
            case "sent":
            case "acknowledged":
                return this.unanswered ? "unanswered" : "contacting";
            default:
                return this.#stage;
        }
    }
}
