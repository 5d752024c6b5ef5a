import { stat } from "node:fs/promises";
import { type Chance, systemChance } from "../../chance";
import type { Clock, Timer } from "../../clock";
import type { GatewayError } from "../../errors";
import { SilenceWatch } from "./silence-watch";
import { anyCommit, anyOpening, StoreHealth, type StoreHealthListener, storeError } from "./store-health";
import { type StoreThreads, storeThreads, type ThreadFile } from "./store-threads";
import type { Ask, OpenedContents, StoreFailure, WorkerResponse } from "./worker-protocol";

const firstRetryMs = 1000;
const lastRetryMs = 30_000;
/** Longer than anybody waits who has something to write that failed. */
const probeAfterMs = 60_000;
/** Nothing has been removed from the file for so long: it may shrink. */
const idleMs = 10_000;
/** Between two steps, other requests have their turn. */
const shrinkEveryMs = 250;

/**
 * Keeps one file open: a file that cannot be opened, or fails later, is tried again until it can be used.
 *
 * | state     | meaning                                                    | left by                                            |
 * |-----------|------------------------------------------------------------|----------------------------------------------------|
 * | `opening` | the first attempt is under way                             | its end, or 5 s without an answer                  |
 * | `absent`  | there is no file, and nothing has to be written yet        | a request that writes                              |
 * | `making`  | the first file is being made, and requests wait for it     | its end, or 5 s without an answer                  |
 * | `open`    | requests are carried out                                   | a failure that closes the file                     |
 * | `closed`  | requests fail; an attempt is under way or follows          | an attempt that succeeds                           |
 */
export class SqliteAccess {
    readonly #options: SqliteAccessOptions;
    readonly #chance: Chance;
    readonly #run: number;
    readonly #file: ThreadFile;
    readonly #watch: SilenceWatch;
    readonly #health: StoreHealth;
    #state: AccessState = "opening";
    #isClosing = false;
    #failure: StoreFailure = { kind: "notOpen" };
    #retryTimer: Timer | undefined;
    #retryMs = 0;
    /** What closed the file: attempts follow each other at growing intervals until the like of it succeeds. */
    #failedKind: Ask["kind"] = "open";
    /** The last opening that was reported. */
    #opening: string | undefined;
    #probeTimer: Timer | undefined;
    #shrinkTimer: Timer | undefined;
    /** What was asked while the first file is made. */
    #held: (() => void)[] = [];
    #isReady: () => void = () => {};

    constructor(options: SqliteAccessOptions) {
        const { path, clock, chance = systemChance, health, threads = storeThreads } = options;
        this.#options = options;
        this.#chance = chance;
        this.#run = Math.floor(chance.random() * 2 ** 47);
        this.#file = threads.newFile();
        this.#watch = new SilenceWatch(clock, (request, seconds) => this.#silent(request, { kind: "silent", seconds }));
        this.#health = new StoreHealth(path, health);
    }

    /**
     * Opens the file, once. Resolves when that has succeeded or failed, or takes too long: then it is tried again, until it can be used.
     */
    open(): Promise<void> {
        const ready = new Promise<void>((resolve) => {
            this.#isReady = resolve;
        });
        if (this.#isClosing) return ready;
        if (this.#options.isMadeWhenNeeded) void this.#openIfThere();
        else this.#open();
        return ready;
    }

    get state(): AccessState {
        return this.#state;
    }

    /** Whether something can be written, as far as is known: at once, or when the file has been made. */
    get isUsable(): boolean {
        return this.#state === "open" || this.#state === "absent" || this.#state === "making";
    }

    /** Asks the file; with an error when it is not open or fails. */
    ask(request: Ask, answered: (error: GatewayError | undefined, response?: WorkerResponse) => void): void {
        if (this.#state === "absent") {
            if (!isWriting(request)) {
                answered(undefined, { id: 0, values: [], isComplete: true });
                return;
            }
            this.#state = "making";
            this.#open();
        }
        if (this.#state === "making") {
            this.#held.push(() => this.ask(request, answered));
            return;
        }
        if (this.#state !== "open") {
            answered(storeError(this.#options.path, this.#failure));
            return;
        }
        this.#send(request, (response) => {
            if (!response.failure) {
                this.#health.succeeded(request);
                if (request.kind === this.#failedKind) this.#retryMs = 0;
                if (request.kind === "commit" && request.removals.length > 0) this.#shrinkLater(idleMs);
                answered(undefined, response);
                return;
            }
            this.#health.failed(request, response.failure);
            answered(storeError(this.#options.path, response.failure), response);
            if (response.isClosed && this.#state === "open") this.#closed(response.failure, request.kind);
            else this.#probeLater();
        });
    }

    /** Calls when the thread has its turn for a commit of this file; at once where the file is not open. */
    whenFree(next: () => void): void {
        if (this.#state !== "open") {
            next();
            return;
        }
        const watched = this.#watch.asked(anyCommit);
        this.#file.whenFree(() => {
            this.#watch.answered(watched);
            next();
        });
    }

    /** From now on the file is not opened again. */
    stopOpening(): void {
        this.#isClosing = true;
        this.#retryTimer?.cancel();
        this.#probeTimer?.cancel();
        this.#shrinkTimer?.cancel();
    }

    /** Closes the file, so that another process can open it. Gives up at the deadline, even where the disk holds the thread up. */
    close(deadlineMs: number): Promise<void> {
        this.stopOpening();
        // What is asked from now on would start the thread again.
        this.#state = "closed";
        return new Promise((resolve) => {
            const timer = this.#options.clock.setTimer(deadlineMs, () => {
                this.#file.abandon();
                resolve();
            });
            void this.#file.close().then(() => {
                timer.cancel();
                resolve();
            });
        });
    }

    #send(request: Ask, answered: (response: WorkerResponse) => void): void {
        const watched = this.#watch.asked(request);
        this.#file.ask(request, (response) => {
            this.#watch.answered(watched);
            answered(response);
        });
    }

    /** On a good link nothing has to be written for days: without a probe the file would be called unusable for as long. */
    #probeLater(): void {
        this.#probeTimer?.cancel();
        if (this.#isClosing) return;
        this.#probeTimer = this.#options.clock.setTimer(probeAfterMs, () => this.ask({ kind: "probe" }, () => {}));
    }

    /** A file that held a backlog gives back its room when nothing else is to be done. */
    #shrinkLater(delayMs: number): void {
        this.#shrinkTimer?.cancel();
        if (this.#isClosing) return;
        this.#shrinkTimer = this.#options.clock.setTimer(delayMs, () => {
            this.ask({ kind: "shrink" }, (error, response) => {
                if (!error && response?.isComplete === false) this.#shrinkLater(shrinkEveryMs);
            });
        });
    }

    /** Where there is no file, none is made before it is needed. */
    async #openIfThere(): Promise<void> {
        const watched = this.#watch.asked(anyOpening);
        const isAbsent = await stat(this.#options.path).then(
            () => false,
            (error: NodeJS.ErrnoException) => error.code === "ENOENT",
        );
        this.#watch.answered(watched);
        if (this.#isClosing) return;
        if (!isAbsent || this.#state !== "opening") {
            this.#open();
            return;
        }
        this.#state = "absent";
        this.#isReady();
        this.#options.opened(nothing);
    }

    #open(): void {
        const owner = this.#chance.createId();
        const { path } = this.#options;
        this.#send({ kind: "open", path, run: this.#run, owner, continues: this.#opening }, (response) => {
            if (!response.contents) {
                this.#closed(response.failure ?? this.#failure, "open");
                return;
            }
            this.#opening = owner;
            this.#opened(response.contents);
        });
    }

    #opened(contents: OpenedContents): void {
        // Nobody uses a file that was still being opened when it was to be closed, unless something is to be written to it first.
        if (this.#isClosing && this.#state !== "making") return;
        const isMade = this.#state === "making";
        this.#state = "open";
        if (this.#failedKind === "open") this.#retryMs = 0;
        this.#health.opened(contents.setAside);
        this.#isReady();
        // As long as there was no file, the outbox went on as with an empty one.
        if (isMade && contents.events === 0) this.#options.made(contents);
        else this.#options.opened(contents);
        this.#shrinkLater(idleMs);
        this.#askHeld();
    }

    #closed(failure: StoreFailure, failedKind: Ask["kind"]): void {
        if (this.#isClosing) return;
        const wasClosed = this.#state === "closed";
        this.#failedKind = failedKind;
        if (failure.kind === "conflict") this.#opening = undefined;
        // A damaged file is replaced at once, and one with other events is read again; everything else may get better with time.
        const isRemedied = failure.kind === "corrupt" || failure.kind === "conflict";
        this.#retryMs = isRemedied && !wasClosed ? 0 : Math.min(Math.max(this.#retryMs * 2, firstRetryMs), lastRetryMs);
        this.#retryTimer?.cancel();
        this.#retryTimer = this.#options.clock.setTimer(this.#retryMs, () => this.#open());
        this.#isUnusable(failure);
    }

    /** The disk does not answer. A file that takes too long to open holds up nobody. */
    #silent(request: Ask, failure: StoreFailure): void {
        if (this.#isClosing) return;
        if (request.kind === "open") this.#isUnusable(failure);
        else this.#health.failed(request, failure);
    }

    #isUnusable(failure: StoreFailure): void {
        const wasClosed = this.#state === "closed";
        this.#failure = failure;
        this.#state = "closed";
        this.#health.failed(anyOpening, failure);
        this.#isReady();
        this.#askHeld();
        if (!wasClosed) this.#options.closed();
    }

    #askHeld(): void {
        const held = this.#held;
        this.#held = [];
        for (const ask of held) ask();
    }
}

/** What is found where there is no file. */
const nothing: OpenedContents = {
    lastSeq: 0,
    events: 0,
    bytes: 0,
    isContinued: false,
    time: { note: "", lastCreatedAt: undefined },
    oldestCreatedAt: undefined,
    undelivered: { lastId: 0, waiting: 0, waitingBytes: 0, kept: 0, keptBytes: 0 },
    states: [],
    setAside: undefined,
};

/** Whether there has to be a file for the request. */
function isWriting(request: Ask): boolean {
    if (request.kind !== "commit") return false;
    return request.events.length > 0 || request.states.length > 0 || (request.undelivered?.added.length ?? 0) > 0;
}

/** See `SqliteAccess`. */
type AccessState = "opening" | "absent" | "making" | "open" | "closed";

/** Which file is kept open, and its listener. */
export interface SqliteAccessOptions {
    readonly path: string;
    readonly clock: Clock;
    /** Names what this store writes; the one of the machine without it. */
    readonly chance?: Chance | undefined;
    readonly health: StoreHealthListener;
    /** Whether a file that is not there is made only when something is to be written. */
    readonly isMadeWhenNeeded?: boolean | undefined;
    /** Where files are opened; those of the process without it. */
    readonly threads?: StoreThreads | undefined;
    /** The file is open, for the first time or again; or there is none, which is as if it were empty. */
    opened(contents: OpenedContents): void;
    /** The file, of which `opened` said that there is none, has been made. */
    made(contents: OpenedContents): void;
    /** The file cannot be used any more, or not yet; reported once until it is opened. */
    closed(): void;
}
