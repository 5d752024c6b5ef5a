import path from "node:path";
import { Worker } from "node:worker_threads";
import { type Clock, systemClock } from "../../clock";
import type { Ask, FileRequest, StoreFailure, WorkerResponse } from "./worker-protocol";

const maxThreads = 4;
/** A thread that has not answered for so long is held up by the disk. */
const patienceMs = 5000;
/** One is carried out while the next is on its way. */
const commitsAtOnce = 2;

/**
 * The threads of this process that have outbox files open. One is started when a file needs it, up to four; further files are spread over
 * them. A thread ends with its last file.
 */
export class StoreThreads {
    readonly #clock: Clock;
    readonly #startWorker: () => StoreWorker;
    readonly #threads = new Set<StoreThread>();
    #files = 0;

    constructor({ clock = systemClock, startWorker = startSqliteWorker }: StoreThreadsOptions = {}) {
        this.#clock = clock;
        this.#startWorker = startWorker;
    }

    /** A file that gets a thread when something is asked of it. */
    newFile(): ThreadFile {
        this.#files += 1;
        return new ThreadFile(this.#files, () => this.#place());
    }

    /** A thread for one more file: one of its own, or the one with the fewest. A thread that the disk holds up gets no further file. */
    #place(): StoreThread | StoreFailure {
        const inUse = [...this.#threads].filter((thread) => !thread.isEnded || thread.isSilent);
        const started = inUse.length < maxThreads ? this.#start() : undefined;
        if (started instanceof StoreThread) return started;
        const free = inUse.filter((thread) => !thread.isSilent).sort((one, other) => one.files.size - other.files.size);
        return free[0] ?? started ?? { kind: "silent", seconds: patienceMs / 1000 };
    }

    /** The system may refuse another thread. */
    #start(): StoreThread | StoreFailure {
        try {
            const thread = new StoreThread(this.#startWorker(), this.#clock, () => this.#threads.delete(thread));
            this.#threads.add(thread);
            return thread;
        } catch (error) {
            return { kind: "noThread", error: error instanceof Error ? error.message : String(error) };
        }
    }
}

/** The threads that all stores of this process share. */
export const storeThreads = new StoreThreads();

/** What threads are made of. Tests replace the worker. */
export interface StoreThreadsOptions {
    readonly clock?: Clock;
    readonly startWorker?: () => StoreWorker;
}

/** What is needed of a worker. */
export interface StoreWorker extends Pick<Worker, "postMessage" | "ref" | "unref"> {
    terminate(): Promise<unknown>;
    on(event: "message", listener: (response: WorkerResponse) => void): unknown;
    on(event: "error", listener: (error: Error) => void): unknown;
    on(event: "exit", listener: () => void): unknown;
}

/** One file, as the threads see it. It gets another thread when its own has ended. */
export class ThreadFile {
    readonly number: number;
    readonly #place: () => StoreThread | StoreFailure;
    #thread: StoreThread | undefined;

    constructor(number: number, place: () => StoreThread | StoreFailure) {
        this.number = number;
        this.#place = place;
    }

    /** Requests are carried out in order. While one is outstanding the process stays alive. */
    ask(request: Ask, answered: Answered): void {
        const thread = this.#thread && !this.#thread.isEnded ? this.#thread : this.#place();
        if (!(thread instanceof StoreThread)) {
            answered({ id: 0, failure: thread, isClosed: true });
            return;
        }
        this.#thread = thread;
        thread.ask(this, request, answered);
    }

    /** Calls when a commit would be carried out soon. Files that share the thread take turns. */
    whenFree(next: () => void): void {
        if (this.#thread && !this.#thread.isEnded) this.#thread.whenFree(this, next);
        else next();
    }

    /** Closes the file. Resolves when its thread has done so and, if this was its last file, has ended. */
    async close(): Promise<void> {
        const thread = this.#thread;
        if (!thread || thread.isEnded) return;
        await new Promise<void>((resolve) => thread.ask(this, { kind: "close" }, () => resolve()));
        await thread.leave(this);
    }

    /** Waits for nothing any more: what is outstanding fails. */
    abandon(): void {
        void this.#thread?.leave(this);
    }
}

/** A worker, the files that it has, and what it was asked. */
class StoreThread {
    readonly files = new Set<ThreadFile>();
    readonly #worker: StoreWorker;
    readonly #clock: Clock;
    /** What the worker has not answered, in order; without a file where nobody waits for it any more. */
    readonly #asked = new Map<number, Asked>();
    /** Who waits for a turn to commit, in order. */
    #turns: Turn[] = [];
    #commits = 0;
    #lastId = 0;
    #lastAnswerMs = Number.NEGATIVE_INFINITY;
    #isEnded = false;

    constructor(worker: StoreWorker, clock: Clock, ended: () => void) {
        this.#worker = worker;
        this.#clock = clock;
        let failure: StoreFailure = { kind: "crashed" };
        worker.on("message", (response: WorkerResponse) => this.#answered(response));
        worker.on("error", (error: Error) => {
            failure = { kind: "crashed", error: error.message };
        });
        worker.on("exit", () => {
            this.#isEnded = true;
            ended();
            for (const file of [...this.files]) this.#fail(file, failure);
            this.#endTurns(() => true);
        });
        worker.unref();
    }

    /** Whether it takes no more requests: it has ended, or is about to. */
    get isEnded(): boolean {
        return this.#isEnded;
    }

    /** Whether it is held up by the disk. */
    get isSilent(): boolean {
        const [oldest] = this.#asked.values();
        return oldest !== undefined && this.#clock.monotonicMs() - Math.max(oldest.askedMs, this.#lastAnswerMs) >= patienceMs;
    }

    ask(file: ThreadFile, request: Ask, answered: Answered): void {
        const id = ++this.#lastId;
        this.files.add(file);
        const isCommit = request.kind === "commit";
        if (isCommit) this.#commits += 1;
        this.#asked.set(id, { file, answered, isCommit, askedMs: this.#clock.monotonicMs() });
        this.#worker.ref();
        const message: FileRequest = { ...request, id, file: file.number };
        this.#worker.postMessage(message);
    }

    whenFree(file: ThreadFile, next: () => void): void {
        if (this.#commits < commitsAtOnce && this.#turns.length === 0) next();
        else this.#turns.push({ file, next });
    }

    /** The file needs the thread no longer, and what it has asked fails. Without any file the thread ends, whatever it is doing. */
    async leave(file: ThreadFile): Promise<void> {
        if (!this.files.delete(file)) return;
        this.#isEnded = this.files.size === 0;
        this.#fail(file, { kind: "crashed" });
        this.#endTurns((turn) => turn.file === file);
        if (this.#isEnded) await this.#worker.terminate();
    }

    #answered(response: WorkerResponse): void {
        const asked = this.#asked.get(response.id);
        this.#lastAnswerMs = this.#clock.monotonicMs();
        this.#asked.delete(response.id);
        this.#unrefIfIdle();
        if (asked?.isCommit) this.#commits -= 1;
        if (asked?.file) asked.answered(response);
        while (this.#commits < commitsAtOnce && this.#turns.length > 0) this.#turns.shift()?.next();
    }

    /** Nobody waits for a turn that does not come any more. */
    #endTurns(isOver: (turn: Turn) => boolean): void {
        const over = this.#turns.filter(isOver);
        this.#turns = this.#turns.filter((turn) => !isOver(turn));
        for (const { next } of over) next();
    }

    #fail(file: ThreadFile, failure: StoreFailure): void {
        const failed = [...this.#asked].filter(([, asked]) => asked.file === file);
        for (const [, asked] of failed) asked.file = undefined;
        this.#unrefIfIdle();
        for (const [id, { answered }] of failed) answered({ id, failure, isClosed: true });
    }

    #unrefIfIdle(): void {
        for (const { file } of this.#asked.values()) if (file) return;
        this.#worker.unref();
    }
}

/** Called once with the answer; a thread that ends answers everything with a failure. */
type Answered = (response: WorkerResponse) => void;

interface Asked {
    file: ThreadFile | undefined;
    readonly answered: Answered;
    readonly isCommit: boolean;
    readonly askedMs: number;
}

interface Turn {
    readonly file: ThreadFile;
    readonly next: () => void;
}

function startSqliteWorker(): Worker {
    return new Worker(path.join(__dirname, "sqlite-worker.js"), {
        // Older versions of Node warn that SQLite is experimental; this package is tested on each of them.
        execArgv: ["--disable-warning=ExperimentalWarning"],
    });
}
