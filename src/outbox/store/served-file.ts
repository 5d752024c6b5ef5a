import type { Clock } from "../../clock";
import { SqliteFile } from "./sqlite-file";
import { UnusableFileError } from "./sqlite-schema";
import type { FileRequest, OpenedContents, OpenRequest, StoreFailure, WorkerRequest, WorkerResponse } from "./worker-protocol";

/** SQLite's primary result codes, as far as they decide what to do. */
const kindOfCode: Record<number, "locked" | "corrupt" | "full"> = { 5: "locked", 6: "locked", 11: "corrupt", 13: "full", 26: "corrupt" };
/** SQLite's primary result code for what the disk itself did wrong. */
const diskErrorCode = 10;
/** A file whose disk fails the same request so often, although it could be opened in between, has bad places: that is damage too. */
const tolerableDiskErrors = 5;
/** Different requests that have failed and are remembered. */
const maxFailedRequests = 1000;

/** The files of one thread, by their number. */
export class ServedFiles {
    readonly #files = new Map<number, ServedFile>();
    readonly #clock: Pick<Clock, "now">;

    constructor(clock: Pick<Clock, "now">) {
        this.#clock = clock;
    }

    answer(request: FileRequest): WorkerResponse {
        const { id, file: number, kind } = request;
        let file = this.#files.get(number);
        if (kind === "close") {
            file?.close();
            this.#files.delete(number);
            return { id };
        }
        if (!file) {
            if (kind !== "open") return { id, failure: { kind: "notOpen" }, isClosed: true };
            file = new ServedFile(request, this.#clock);
            this.#files.set(number, file);
        }
        return file.answer(request);
    }

    /** Closes all of them, as the end of the process does. */
    close(): void {
        for (const file of this.#files.values()) file.close();
        this.#files.clear();
    }
}

/** A file as a thread serves it: carries out requests, and decides what follows from a failure. */
class ServedFile {
    readonly #file: SqliteFile;
    readonly #clock: Pick<Clock, "now">;
    /** Damage was found while the file was in use: it may open well again, but cannot be trusted. */
    #isDamaged = false;
    /** Where the damaged file is, until that was reported. */
    #setAside: string | undefined;
    /** How often the disk has failed a request since that last succeeded. */
    readonly #diskErrors = new Map<string, number>();

    constructor(options: Pick<OpenRequest, "path" | "run">, clock: Pick<Clock, "now">) {
        this.#file = new SqliteFile(options);
        this.#clock = clock;
    }

    answer(request: WorkerRequest): WorkerResponse {
        const { id } = request;
        try {
            const response = { id, ...this.#perform(request) };
            if (this.#diskErrors.size > 0) this.#diskErrors.delete(nameOf(request));
            return response;
        } catch (error) {
            const failure = describe(error);
            // A full disk needs room and a lock needs patience; whatever else happens, the file is opened again from scratch. With times that
            // could not be moved nothing may be read.
            const isPassing = failure.kind === "full" || failure.kind === "locked";
            const isClosed = request.kind === "open" || request.kind === "shiftTimes" || !isPassing;
            if (isClosed) this.#file.close();
            if (failure.kind === "corrupt" || (codeOf(error) === diskErrorCode && this.#isPersistent(request))) this.#isDamaged = true;
            return { id, failure, isClosed };
        }
    }

    close(): void {
        this.#file.close();
    }

    #perform(request: WorkerRequest): Omit<WorkerResponse, "id"> {
        switch (request.kind) {
            case "open":
                return { contents: this.#open(request) };
            case "close":
                this.#file.close();
                return {};
            case "probe":
                this.#file.probe();
                return {};
            case "shrink":
                return { isComplete: this.#file.shrink() };
            case "commit":
                return {
                    undelivered: this.#file.commit(
                        request.events,
                        request.removals,
                        request.states,
                        request.clockNote,
                        request.undelivered,
                    ),
                    oldestCreatedAt: this.#file.oldestCreatedAt(),
                };
            case "readUndelivered":
                return this.#file.undelivered.readWaiting(request.after, request.maxEvents, request.maxBytes);
            case "listUndelivered":
                return { kept: this.#file.undelivered.list(request.selection, request.place) };
            case "readKept":
                return this.#file.undelivered.readKept(request.selection, request.after, request.maxEvents, request.maxBytes);
            case "read":
                return this.#file.read(request);
            case "readDevices":
                return this.#file.readDevices(request.after, request.maxRows);
            case "readLatest":
                return this.#file.readLatest(request.after, request.maxRows);
            case "readExpired":
                return this.#file.readExpired(request.atMs, request.after, request.maxEvents);
            case "shiftTimes":
                this.#file.shiftTimes(request.afterSeq, request.byMs, request.clockNote);
                return { oldestCreatedAt: this.#file.oldestCreatedAt() };
        }
    }

    /** A file that is no database, or a damaged one, is set aside and replaced: keeping new events safe comes first. */
    #open(request: OpenRequest): OpenedContents {
        try {
            if (!this.#isDamaged) return this.#opened(request);
        } catch (error) {
            if (describe(error).kind !== "corrupt") throw error;
        }
        this.#setAside = this.#file.setAside(this.#clock.now());
        this.#isDamaged = false;
        this.#diskErrors.clear();
        return this.#opened(request);
    }

    /** Says once where a damaged file is, also if the new one could not be opened at once. */
    #opened(request: OpenRequest): OpenedContents {
        const contents = {
            ...this.#file.open(request),
            oldestCreatedAt: this.#file.oldestCreatedAt(),
            setAside: this.#setAside,
        };
        this.#setAside = undefined;
        return contents;
    }

    /** Counts an error of the disk. Moving times is left out: it may need the temporary folder, which says nothing about the file. */
    #isPersistent(request: WorkerRequest): boolean {
        const { kind } = request;
        const isCounted = kind.startsWith("read") || kind === "commit";
        if (!isCounted) return false;
        const name = nameOf(request);
        const count = (this.#diskErrors.get(name) ?? 0) + 1;
        if (this.#diskErrors.size >= maxFailedRequests) this.#diskErrors.clear();
        this.#diskErrors.set(name, count);
        return count >= tolerableDiskErrors;
    }
}

/** Requests of the same name look at the same place of the file: others may succeed around a bad one. */
function nameOf(request: WorkerRequest): string {
    switch (request.kind) {
        case "read":
            return `read ${request.device} ${request.priority} ${request.after}`;
        case "readDevices":
        case "readLatest":
        case "readExpired":
        case "readUndelivered":
            return `${request.kind} ${JSON.stringify(request.after)}`;
        case "commit":
            return `commit ${request.removals[0]}`;
        default:
            return request.kind;
    }
}

function describe(error: unknown): StoreFailure {
    if (error instanceof UnusableFileError) return error.failure;
    const said = error instanceof Error ? error.message : String(error);
    return { kind: kindOfCode[codeOf(error)] ?? "unusable", error: said };
}

/** SQLite's primary result code; 0 when the error is not SQLite's. */
function codeOf(error: unknown): number {
    const code = typeof error === "object" && error !== null && "errcode" in error && typeof error.errcode === "number" ? error.errcode : 0;
    return code & 0xff;
}
