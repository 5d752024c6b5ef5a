import type { Clock, Timer } from "../clock";
import type { ErrorCode, GatewayError } from "../errors";
import { translate } from "../i18n";
import { LogLimiter } from "../log-limiter";
import type { Priority, RefusalNote } from "../outbox/event";
import { RecentItems } from "../recent-items";
import type { GatewayState } from "./gateway-state";

const rememberedProblems = 50;
const countsEveryMs = 1000;
const linesPerMinute = 60;
/** Errors that wait for the end of a deploy; beyond, they are reported at once. */
const maxDeferred = 1000;

/** Reports the events of a gateway to its listeners, no more often than a person can read. */
export class GatewayListeners {
    /** The problems that were reported last. */
    readonly recentProblems = new RecentItems<PastProblem>(rememberedProblems);
    readonly #clock: Clock;
    readonly #readState: () => GatewayState;
    readonly #logLimiter: LogLimiter;
    readonly #listeners = new Set<GatewayListener>();
    #deferred: DeferredError[] | undefined;
    /** Reports made while no node listened, as between the stop and the start of a deploy. */
    readonly #pendingNotifications: ((listener: GatewayListener) => void)[] = [];
    #countsTimer: Timer | undefined;
    #isClosed = false;
    #problem = "";

    constructor(clock: Clock, readState: () => GatewayState) {
        this.#clock = clock;
        this.#readState = readState;
        this.#logLimiter = new LogLimiter(clock, linesPerMinute, (count) =>
            this.#notifyFirst((listener) => listener.warn(translate("gateway.linesLeftOut", { count }))),
        );
    }

    /** Adds a listener. Returns a function that removes it. */
    add(listener: GatewayListener): () => void {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    /** The state changed: reported now. */
    stateChanged(): void {
        this.#countsTimer?.cancel();
        this.#countsTimer = undefined;
        const state = this.#readState();
        for (const listener of this.#listeners) listener.stateChanged(state);
        // What waits goes out or grows old, and what is suspected falls silent, although nothing new comes.
        if (state.queued > 0 || state.suspectedDevices > 0) this.countsChanged();
    }

    /** Only numbers changed: reported within a second. */
    countsChanged(): void {
        if (this.#isClosed) return;
        this.#countsTimer ??= this.#clock.setTimer(countsEveryMs, () => this.stateChanged());
    }

    /** A problem began; the same one is not reported again until `solved`. */
    problem(error: GatewayError, state: string): void {
        const problem = `${error.code} ${error.message}`;
        if (problem === this.#problem) return;
        this.#problem = problem;
        this.#notify(error, state);
    }

    /** The outbox file cannot be used; reported independently of the connection's problem. */
    storageProblem(error: GatewayError): void {
        this.#notify(error, "store");
    }

    /** The platform does not answer the registration of a device; reported independently of the connection's problem. */
    registrationProblem(error: GatewayError): void {
        this.#notify(error, "stalled");
    }

    /** The problem is over; the next one is reported even if it is the same. */
    solved(): void {
        this.#problem = "";
    }

    /** A line in the log. */
    log(text: string): void {
        this.#write((listener) => listener.log(text));
    }

    /** A warning in the log. */
    warn(text: string): void {
        this.#write((listener) => listener.warn(text));
    }

    /** The flows are being deployed: errors of earlier messages wait, because their nodes and Catch nodes come back in a moment. */
    pause(): void {
        this.#deferred ??= [];
    }

    /** The flows run: reports the errors that waited. */
    resume(): void {
        const held = this.#deferred ?? [];
        this.#deferred = undefined;
        for (const notify of this.#pendingNotifications.splice(0)) this.#notifyFirst(notify);
        for (const { nodeId, error, message } of held) this.failedLater(nodeId, error, message);
    }

    /** An event failed after its message was completed: on the node that sent it, or on the gateway if that is gone. */
    failedLater(nodeId: string, error: GatewayError, message: LateMessage): void {
        if (this.#deferred && this.#deferred.length < maxDeferred) {
            this.#deferred.push({ nodeId, error, message });
            return;
        }
        for (const listener of this.#listeners) if (listener.failedLater(nodeId, error, message)) return;
        this.#notifyFirst((listener) => listener.failedOrphan(error, message));
    }

    /**
     * Brings an undelivered event to the Catch nodes, with the node that sent it, or with the gateway if that is gone. Returns whether one got
     * it; undefined when nobody is there who could bring it.
     */
    handOver(nodeId: string, error: GatewayError, message: UndeliveredMessage): boolean | undefined {
        for (const listener of this.#listeners) {
            const isCaught = listener.undelivered(nodeId, error, message);
            if (isCaught !== undefined) return isCaught;
        }
        const [first] = this.#listeners;
        return first?.undeliveredOrphan(error, message);
    }

    /** Reports what still waits, and ends the timer. */
    close(): void {
        this.resume();
        this.#logLimiter.close();
        this.#isClosed = true;
        this.#countsTimer?.cancel();
        this.#countsTimer = undefined;
    }

    #write(write: (listener: GatewayListener) => void): void {
        if (this.#logLimiter.mayWrite()) this.#notifyFirst(write);
        else this.#logLimiter.omit();
    }

    #notify(error: GatewayError, state: string): void {
        this.recentProblems.add({ at: this.#clock.now(), code: error.code, text: error.message });
        this.#notifyFirst((listener) => listener.problem(error, state));
    }

    /** Reports what concerns the gateway as a whole to one of the configuration nodes that share it, not to each of them. */
    #notifyFirst(notify: (listener: GatewayListener) => void): void {
        const [first] = this.#listeners;
        if (first) notify(first);
        else if (this.#deferred && this.#pendingNotifications.length < maxDeferred) this.#pendingNotifications.push(notify);
    }
}

/** What happens on a gateway, for those who share it. Nothing of this may throw. */
export interface GatewayListener {
    /** The state changed; numbers alone change it at most once a second. */
    stateChanged(state: GatewayState): void;
    /** The gateway has a problem, reported once for each change; `state` is its name as one word. */
    problem(error: GatewayError, state: string): void;
    /** Something worth a line in the log. */
    log(text: string): void;
    /** Something worth a warning in the log. */
    warn(text: string): void;
    /** An event failed after its message was completed. Returns whether the node that sent it was found. */
    failedLater(nodeId: string, error: GatewayError, message: LateMessage): boolean;
    /** The same, for an event whose node is gone. */
    failedOrphan(error: GatewayError, message: LateMessage): void;
    /** An event was not delivered. Returns whether a Catch node got it; undefined when the node that sent it was not found. */
    undelivered(nodeId: string, error: GatewayError, message: UndeliveredMessage): boolean | undefined;
    /** The same, for an event whose node is gone. */
    undeliveredOrphan(error: GatewayError, message: UndeliveredMessage): boolean;
}

/** What is still known of the message of an event that failed later. */
export interface LateMessage {
    readonly _msgid: string;
    readonly typeId: string;
    readonly deviceId: string;
    readonly eventId: string;
    /** What the platform said, of a refused event; a Catch node gets only words and code of an error. */
    readonly refusal?: RefusalNote;
}

/** The data of an event that was not delivered. */
export interface UndeliveredData {
    readonly undelivered: true;
    /** What makes a node of the same settings write the same bytes. */
    readonly payload: unknown;
    readonly format: string;
    readonly topic: string;
    readonly qos: 1 | 2;
    readonly priority: Priority;
    /** ISO 8601: when it entered the gateway. */
    readonly time: string;
}

/** An event that was not delivered, for Catch nodes. */
export interface UndeliveredMessage {
    readonly message: LateMessage & UndeliveredData;
    /** How often Catch nodes got it before it came back. */
    readonly returns: number;
}

interface DeferredError {
    readonly nodeId: string;
    readonly error: GatewayError;
    readonly message: LateMessage;
}

/** A problem that a gateway had. */
export interface PastProblem {
    /** Wall clock, milliseconds. */
    readonly at: number;
    readonly code: ErrorCode;
    readonly text: string;
}
