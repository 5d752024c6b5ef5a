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
            const response = this.#disk.fails(request) ? failure(request) : this.#files.answer(structuredClone(request));
            this.emit("message", response);
        });
    }

    ref(): void {}

    unref(): void {}

    terminate(): Promise<void> {
        this.end();
        this.emit("exit");
        return Promise.resolve();
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
    /** Whether the request fails without having done anything. */
    fails(request: FileRequest): boolean;
}

function failure({ id }: FileRequest): WorkerResponse {
    return { id, failure: { kind: "full", error: "database or disk is full" } };
}
