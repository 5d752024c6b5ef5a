import { parentPort, workerData } from "node:worker_threads";
import { SqliteFile } from "./sqlite-file";
import { UnusableFileError } from "./sqlite-schema";
import type { OpenedContents, StoreFailure, WorkerOptions, WorkerRequest, WorkerResponse } from "./worker-protocol";

/** SQLite's primary result codes, as far as they decide what to do. */
const kindOfCode: Record<number, "locked" | "corrupt" | "full"> = { 5: "locked", 6: "locked", 11: "corrupt", 13: "full", 26: "corrupt" };

const options: WorkerOptions = workerData;
const file = new SqliteFile(options);
/** Damage was found while the file was in use: it may open well again, but cannot be trusted. */
let isDamaged = false;
/** Where the damaged file is, until that was reported. */
let setAside: string | undefined;
/** SQLite's primary result code for what the disk itself did wrong. */
const diskErrorCode = 10;
/** A file whose disk fails the same request so often, although it could be opened in between, has bad places: that is damage too. */
const tolerableDiskErrors = 5;
const diskErrors = new Map<WorkerRequest["kind"], number>();

parentPort?.on("message", (request: WorkerRequest) => {
    parentPort?.postMessage(answer(request));
    if (request.kind === "close") parentPort?.close();
});

function answer(request: WorkerRequest): WorkerResponse {
    const { id } = request;
    try {
        const response = { id, ...perform(request) };
        diskErrors.delete(request.kind);
        return response;
    } catch (error) {
        const failure = describe(error);
        // A full disk needs room and a lock needs patience; whatever else happens, the file is opened again from scratch. With times that
        // could not be moved nothing may be read.
        const isPassing = failure.kind === "full" || failure.kind === "locked";
        const isClosed = request.kind === "open" || request.kind === "shiftTimes" || !isPassing;
        if (isClosed) file.close();
        if (failure.kind === "corrupt" || (codeOf(error) === diskErrorCode && isPersistent(request))) isDamaged = true;
        return { id, failure, isClosed };
    }
}

function perform(request: WorkerRequest): Omit<WorkerResponse, "id"> {
    switch (request.kind) {
        case "open":
            return { contents: open(request) };
        case "close":
            file.close();
            return {};
        case "probe":
            file.probe();
            return {};
        case "commit":
            file.commit(request.events, request.removals, request.states, request.clockNote);
            return { oldestCreatedAt: file.oldestCreatedAt() };
        case "read":
            return file.read(request);
        case "readDevices":
            return file.readDevices(request.after, request.maxRows);
        case "readExpired":
            return file.readExpired(request.atMs, request.after, request.maxEvents);
        case "shiftTimes":
            file.shiftTimes(request.afterSeq, request.byMs, request.clockNote);
            return { oldestCreatedAt: file.oldestCreatedAt() };
    }
}

/** A file that is no database, or a damaged one, is set aside and replaced: keeping new events safe comes first. */
function open(request: Extract<WorkerRequest, { kind: "open" }>): OpenedContents {
    try {
        if (!isDamaged) return opened(request);
    } catch (error) {
        if (describe(error).kind !== "corrupt") throw error;
    }
    setAside = file.setAside(Date.now());
    isDamaged = false;
    diskErrors.clear();
    return opened(request);
}

/** Says once where a damaged file is, also if the new one could not be opened at once. */
function opened(request: Extract<WorkerRequest, { kind: "open" }>): OpenedContents {
    const contents = { ...file.open(request), oldestCreatedAt: file.oldestCreatedAt(), setAside };
    setAside = undefined;
    return contents;
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

/** Counts an error of the disk. Moving times is left out: it may need the temporary folder, which says nothing about the file. */
function isPersistent({ kind }: WorkerRequest): boolean {
    if (kind !== "read" && kind !== "readDevices" && kind !== "readExpired" && kind !== "commit") return false;
    const count = (diskErrors.get(kind) ?? 0) + 1;
    diskErrors.set(kind, count);
    return count >= tolerableDiskErrors;
}
