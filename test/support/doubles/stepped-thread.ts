import { EventEmitter } from "node:events";
import type { Clock } from "../../../src/clock";
import type { StoreWorker } from "../../../src/outbox/store/store-threads";
import type { FileRequest, WorkerResponse } from "../../../src/outbox/store/worker-protocol";

/** A thread for outbox files, without files: every commit takes as long as the test says, and nothing else takes any time. */
export class SteppedThread extends EventEmitter implements StoreWorker {
    /** The numbers of the files that are open. */
    readonly files = new Set<number>();
    /** Whether nothing is answered. */
    isStuck = false;
    isTerminated = false;
    flushes = 0;
    readonly #clock: Clock;
    readonly #flushMs: number;
    readonly #requests: FileRequest[] = [];
    #isBusy = false;

    constructor(clock: Clock, flushMs = 0) {
        super();
        this.#clock = clock;
        this.#flushMs = flushMs;
    }

    postMessage(request: FileRequest): void {
        this.#requests.push(request);
        this.#next();
    }

    /** Answers what was asked meanwhile. */
    goOn(): void {
        this.isStuck = false;
        this.#next();
    }

    ref(): void {}

    unref(): void {}

    async terminate(): Promise<number> {
        this.isTerminated = true;
        this.emit("exit", 1);
        return 1;
    }

    #next(): void {
        if (this.#isBusy || this.isStuck || this.isTerminated) return;
        const request = this.#requests.shift();
        if (!request) return;
        this.#isBusy = true;
        if (request.kind === "commit") this.flushes += 1;
        this.#clock.setTimer(request.kind === "commit" ? this.#flushMs : 0, () => {
            this.#isBusy = false;
            if (this.isTerminated) return;
            this.emit("message", this.#answer(request));
            this.#next();
        });
    }

    #answer({ id, kind, file }: FileRequest): WorkerResponse {
        if (kind === "close") this.files.delete(file);
        if (kind !== "open") return { id, values: [], isComplete: true };
        this.files.add(file);
        const time = { note: "", lastCreatedAt: undefined };
        const contents = {
            lastSeq: 0,
            events: 0,
            bytes: 0,
            isContinued: false,
            time,
            oldestCreatedAt: undefined,
            undelivered: { lastId: 0, waiting: 0, waitingBytes: 0, kept: 0, keptBytes: 0 },
            states: [],
        };
        return { id, contents: { ...contents, setAside: undefined } };
    }
}
