import { parentPort } from "node:worker_threads";
import { systemClock } from "../../clock";
import { ServedFiles } from "./served-file";
import type { FileRequest } from "./worker-protocol";

const files = new ServedFiles(systemClock);

parentPort?.on("message", (request: FileRequest) => parentPort?.postMessage(files.answer(request)));
