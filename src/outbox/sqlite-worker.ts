import { parentPort, workerData } from "node:worker_threads";
import { SqliteFile } from "./sqlite-file";
import type { OpenedContents, StoreFailure, WorkerOptions, WorkerRequest, WorkerResponse } from "./sqlite-messages";
import { UnusableFileError } from "./sqlite-schema";

/** SQLite's primary result codes, as far as they decide what to do. */
const kindOfCode: Record<number, "locked" | "corrupt" | "full"> = { 5: "locked", 6: "locked", 11: "corrupt", 13: "full", 26: "corrupt" };

const options: WorkerOptions = workerData;
const file = new SqliteFile(options);
/** Damage was found while the file was in use: it may open well again, but cannot be trusted. */
let isDamaged = false;

parentPort?.on("message", (request: WorkerRequest) => {
    parentPort?.postMessage(answer(request));
    if (request.kind === "close") parentPort?.close();
});

function answer(request: WorkerRequest): WorkerResponse {
    const { id } = request;
    try {
        return { id, ...perform(request) };
    } catch (error) {
        const failure = describe(error);
        // A full disk needs room and a lock needs patience; whatever else happens, the file is opened again from scratch.
        const isClosed = request.kind === "open" || (failure.kind !== "full" && failure.kind !== "locked");
        if (isClosed) file.close();
        if (failure.kind === "corrupt") isDamaged = true;
        return { id, failure, isClosed };
    }
}

function perform(request: WorkerRequest): Omit<WorkerResponse, "id"> {
    switch (request.kind) {
        case "open":
            return { contents: open() };
        case "close":
            file.close();
            return {};
        case "probe":
            file.probe();
            return {};
        case "commit":
            file.commit(request.events, request.removals, request.states);
            return {};
        case "read":
            return file.read(request);
        case "readExpired":
            return file.readExpired(request.atMs, request.maxEvents);
        case "shiftTimes":
            file.shiftTimes(request.afterSeq, request.byMs);
            return {};
    }
}

/** A file that is no database, or a damaged one, is set aside and replaced: keeping new events safe comes first. */
function open(): OpenedContents {
    try {
        if (!isDamaged) return { ...file.open(), setAside: undefined };
    } catch (error) {
        if (describe(error).kind !== "corrupt") throw error;
    }
    const setAside = file.setAside(Date.now());
    isDamaged = false;
    return { ...file.open(), setAside };
}

function describe(error: unknown): StoreFailure {
    if (error instanceof UnusableFileError) return error.failure;
    const said = error instanceof Error ? error.message : String(error);
    const code = typeof error === "object" && error !== null && "errcode" in error && typeof error.errcode === "number" ? error.errcode : 0;
    return { kind: kindOfCode[code & 0xff] ?? "unusable", error: said };
}
