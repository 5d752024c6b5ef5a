import path from "node:path";
import { Worker } from "node:worker_threads";
import type { StoreFailure, WorkerOptions, WorkerRequest, WorkerResponse } from "./sqlite-messages";

/** A request without its number, which the client gives. */
export type Ask<R = WorkerRequest> = R extends WorkerRequest ? Omit<R, "id"> : never;

/** Called once with the answer; a worker that dies answers everything with a failure. */
export type Answered = (response: WorkerResponse) => void;

/** Talks to the thread that has the file open; starts it when it is first needed and again after it died. */
export class SqliteClient {
    readonly #options: WorkerOptions;
    readonly #answers = new Map<number, Answered>();
    #worker: Worker | undefined;
    #lastId = 0;

    constructor(options: WorkerOptions) {
        this.#options = options;
    }

    /** Requests are carried out in order. While one is outstanding the process stays alive. */
    ask(request: Ask, answered: Answered): void {
        const worker = this.#worker ?? this.#start();
        const id = ++this.#lastId;
        this.#answers.set(id, answered);
        if (this.#answers.size === 1) worker.ref();
        worker.postMessage({ ...request, id });
    }

    /** Ends the thread, whatever it is doing. */
    async terminate(): Promise<void> {
        await this.#worker?.terminate();
    }

    #start(): Worker {
        const worker = new Worker(path.join(__dirname, "sqlite-worker.js"), {
            workerData: this.#options,
            // Older versions of Node warn that SQLite is experimental; this package is tested on each of them.
            execArgv: ["--disable-warning=ExperimentalWarning"],
        });
        this.#worker = worker;
        let failure: StoreFailure = { kind: "crashed" };
        worker.on("message", (response: WorkerResponse) => this.#answer(response));
        worker.on("error", (error) => {
            failure = { kind: "crashed", error: error.message };
        });
        worker.on("exit", () => this.#ended(worker, failure));
        worker.unref();
        return worker;
    }

    #answer(response: WorkerResponse): void {
        const answered = this.#answers.get(response.id);
        this.#answers.delete(response.id);
        if (this.#answers.size === 0) this.#worker?.unref();
        answered?.(response);
    }

    #ended(worker: Worker, failure: StoreFailure): void {
        if (this.#worker !== worker) return;
        this.#worker = undefined;
        const unanswered = [...this.#answers];
        this.#answers.clear();
        for (const [id, answered] of unanswered) answered({ id, failure, isClosed: true });
    }
}
