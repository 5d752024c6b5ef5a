import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { Ask, StoreFailure } from "./worker-protocol";

/** Stands for all attempts to open the file: their health is the same. */
export const anyOpening: Ask = { kind: "open", path: "", run: 0, owner: "", continues: undefined };

/** Stands for a commit that waits for its turn. */
export const anyCommit: Ask = { kind: "commit", events: [], removals: [], states: [], clockNote: "" };

/** Tells once that the file fails, and once that it is well again. */
export class StoreHealth {
    readonly #path: string;
    readonly #listener: StoreHealthListener;
    /** The request whose failure was reported: the file is well again when its like succeeds. */
    #failedRequest: Ask | undefined;

    constructor(path: string, listener: StoreHealthListener) {
        this.#path = path;
        this.#listener = listener;
    }

    failed(request: Ask, failure: StoreFailure): void {
        if (this.#failedRequest) return;
        this.#failedRequest = request;
        this.#listener.failed(storeError(this.#path, failure), failure.kind === "replaced" ? failure.setAside : undefined);
    }

    succeeded(request: Ask): void {
        if (this.#failedRequest && isLike(request, this.#failedRequest)) this.#recovered();
    }

    /** The file is open. Where it took the place of a damaged one, that is reported first. */
    opened(setAside: string | undefined): void {
        if (setAside !== undefined) {
            this.#failedRequest = undefined;
            this.failed(anyOpening, { kind: "replaced", setAside });
        }
        if (this.#failedRequest) this.#recovered();
    }

    #recovered(): void {
        this.#failedRequest = undefined;
        this.#listener.recovered();
    }
}

/** Notified of the health of the file. */
export interface StoreHealthListener {
    /** The file cannot be used, or was replaced: then `setAside` is where the former one is. Once per change. */
    failed(error: GatewayError, setAside: string | undefined): void;
    /** The file can be used again. */
    recovered(): void;
}

/** Whether the success of one request shows that the other would succeed now: removing events says little about writing some. */
function isLike(request: Ask, failed: Ask): boolean {
    if (request.kind === "probe") return true;
    if (request.kind === "commit" && failed.kind === "commit") return request.events.length > 0 || failed.events.length === 0;
    return request.kind === failed.kind;
}

/** Why the file cannot be used and what to do, as text. */
export function storeError(file: string, failure: StoreFailure): GatewayError {
    return new GatewayError("GW_STORE", describe(file, failure));
}

function describe(file: string, failure: StoreFailure): string {
    switch (failure.kind) {
        case "locked":
            return translate("outbox.fileLocked", { file, error: failure.error });
        case "full":
            return translate("outbox.fileNoRoom", { file, error: failure.error });
        case "corrupt":
            return translate("outbox.fileCorrupt", { file, error: failure.error });
        case "replaced":
            return translate("outbox.fileReplaced", { file, setAside: failure.setAside });
        case "newer":
            return translate("outbox.fileNewer", { file, fileVersion: failure.fileVersion, knownVersion: failure.knownVersion });
        case "foreign":
            return translate("outbox.fileForeign", { file });
        case "conflict":
            return translate("outbox.fileConflict", { file });
        case "notOpen":
            return translate("outbox.fileNotOpen", { file });
        case "silent":
            return translate("outbox.fileSilent", { file, seconds: failure.seconds });
        case "noThread":
            return translate("outbox.fileNoThread", { file, error: failure.error });
        case "crashed":
            if (failure.error === undefined) return translate("outbox.fileThreadEnded", { file });
            return translate("outbox.fileThreadFailed", { file, error: failure.error });
        case "unusable":
            return translate("outbox.fileUnusable", { file, error: failure.error });
    }
}
