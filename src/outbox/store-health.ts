import { GatewayError } from "../errors";
import type { Ask } from "./sqlite-client";
import type { StoreFailure } from "./sqlite-messages";

/** Told about the health of the file. */
export interface StoreHealthListener {
    /** The file cannot be used, or was replaced; once per change. */
    failed(error: GatewayError): void;
    /** The file can be used again. */
    recovered(): void;
}

/** Tells once that the file fails, and once that it is well again. */
export class StoreHealth {
    readonly #path: string;
    readonly #listener: StoreHealthListener;
    /** The request whose failure was told: the file is well again when its like succeeds. */
    #failedRequest: Ask | undefined;

    constructor(path: string, listener: StoreHealthListener) {
        this.#path = path;
        this.#listener = listener;
    }

    failed(request: Ask, failure: StoreFailure): void {
        if (this.#failedRequest) return;
        this.#failedRequest = request;
        this.#listener.failed(storeError(this.#path, failure));
    }

    succeeded(request: Ask): void {
        if (this.#failedRequest && isLike(request, this.#failedRequest)) this.#recovered();
    }

    /** The file is open. Where it took the place of a damaged one, that is told first. */
    opened(setAside: string | undefined): void {
        if (setAside !== undefined) {
            this.#failedRequest = undefined;
            const text = `it was damaged. It was set aside as ${setAside} and a new one was begun`;
            this.failed({ kind: "open" }, { kind: "corrupt", text });
        }
        if (this.#failedRequest) this.#recovered();
    }

    #recovered(): void {
        this.#failedRequest = undefined;
        this.#listener.recovered();
    }
}

/** Whether the success of one request shows that the other would succeed now: removing events says little about writing some. */
function isLike(request: Ask, failed: Ask): boolean {
    if (request.kind === "probe") return true;
    if (request.kind === "commit" && failed.kind === "commit") return request.events.length > 0 || failed.events.length === 0;
    return request.kind === failed.kind;
}

const advice: Record<StoreFailure["kind"], string> = {
    locked: "Another process has it open: see that only one Node-RED uses this gateway and this user directory.",
    full: "Make room on the disk; until then events are kept in memory only.",
    corrupt: "Events that were only in the damaged file are not sent; keep it if they matter.",
    newer: "Until then events are kept in memory only.",
    foreign: "Until then events are kept in memory only.",
    unusable: "Check the disk and the permissions of the folder; until then events are kept in memory only.",
};

/** Why the file cannot be used and what to do, in words. */
export function storeError(file: string, failure: StoreFailure): GatewayError {
    return new GatewayError("GW_STORE", `The outbox file ${file} cannot be used: ${failure.text}. ${advice[failure.kind]}`);
}
