import { parentPort } from "node:worker_threads";
import { ServedFile } from "./served-file";
import type { FileRequest, WorkerResponse } from "./worker-protocol";

const files = new Map<number, ServedFile>();

parentPort?.on("message", (request: FileRequest) => parentPort?.postMessage(answer(request)));

function answer(request: FileRequest): WorkerResponse {
    const { id, file: number, kind } = request;
    let file = files.get(number);
    if (kind === "close") {
        file?.close();
        files.delete(number);
        return { id };
    }
    if (!file) {
        if (kind !== "open") return { id, failure: { kind: "notOpen" }, isClosed: true };
        file = new ServedFile(request);
        files.set(number, file);
    }
    return file.answer(request);
}
