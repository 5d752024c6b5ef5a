import { EventEmitter } from "node:events";
import type { Clock } from "../../../src/clock";
import { ServedFiles } from "../../../src/outbox/store/served-file";
import type { StoreWorker } from "../../../src/outbox/store/store-threads";
import type { FileRequest, WorkerResponse } from "../../../src/outbox/store/worker-protocol";

/**
 * A thread that has outbox files open, without a thread: the real files, served in this process, each request after a delay of the disk.
 * What a request has done stays done when its answer is lost, as with a process that is killed in between.
 */
export class VirtualWorker extends EventEmitter implements StoreWorker {
    readonly #files: ServedFiles;
    readonly #clock: Clock;
    readonly #disk: VirtualDisk;
    /** When the last request is carried out: none overtakes another. */
    #busyUntilMs = 0;
    #isOver = false;

    constructor(clock: Clock, disk: VirtualDisk) {
        super();
        this.#clock = clock;
        this.#files = new ServedFiles(clock);
        this.#disk = disk;
    }

    postMessage(request: FileRequest): void {
        const nowMs = this.#clock.monotonicMs();
        this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs) + this.#disk.delayMs(request);
        this.#clock.setTimer(this.#busyUntilMs - nowMs, () => {
            if (this.#isOver) return;
            this.emit("message", this.#answer(structuredClone(request)));
        });
    }

    ref(): void {}

    unref(): void {}

    terminate(): Promise<void> {
        this.end();
        this.emit("exit");
        return Promise.resolve();
    }

    #answer(request: FileRequest): WorkerResponse {
        const { id, file } = request;
        const fate = this.#disk.answer(request);
        if (fate === "full") return { id, failure: { kind: "full", error: "database or disk is full" } };
        const response = this.#files.answer(request);
        if (fate === "done") return response;
        this.#files.answer({ id, file, kind: "close" });
        return { id, failure: { kind: "unusable", error: "disk I/O error" }, isClosed: true };
    }

    /** The process has died: what was committed is in the files. */
    end(): void {
        this.#isOver = true;
        this.#files.close();
    }
}

/** How a disk behaves. */
export interface VirtualDisk {
    delayMs(request: FileRequest): number;
    /** What becomes of a request when its time has come. */
    answer(request: FileRequest): DiskAnswer;
}

/** `full` = it does nothing and fails; `done and failed` = it is carried out, and fails all the same, which closes the file. */
export type DiskAnswer = "done" | "full" | "done and failed";
