import path from "node:path";
import type { GatewayError } from "../errors";
import { translate } from "../i18n";
import { canUseDisk, type GatewayStore, isSqliteAvailable } from "../outbox/store/open-store";
import { storeFileName, storeFileSize } from "../outbox/store/store-file";
import { countStoredEvents } from "../outbox/store/stored-event-count";
import type { GatewayIdentity } from "../protocol/identity";
import type { GatewayOptions, OutboxKind } from "./gateway-options";
import type { Machine } from "./machine";

/** The file of an identity as it lies on the disk, whether it is in use or not; undefined when there is none. */
export async function findOutboxFile(directory: string, identity: GatewayIdentity): Promise<FoundFile | undefined> {
    const file = path.join(directory, storeFileName(identity));
    const bytes = await storeFileSize(file);
    return bytes === 0 ? undefined : { path: file, bytes, events: await countStoredEvents(file) };
}

/** The file of one gateway, and whether it can be used. */
export class GatewayStorage {
    readonly store: GatewayStore;
    readonly #outbox: OutboxKind;
    readonly #isDegraded: boolean;
    /** Where the file is, whether it can be read or not; undefined where there is no folder for it. */
    readonly #path: string | undefined;
    readonly #listener: StorageListener;
    #problem: GatewayError | undefined;
    #fileBytes = 0;
    #isRead = false;

    constructor(options: GatewayOptions, directory: string | undefined, machine: StorageMachine, listener: StorageListener) {
        this.#isDegraded = options.outbox === "disk" && !canUseDisk(directory);
        this.#outbox = this.#isDegraded ? "memory" : options.outbox;
        this.#path = directory === undefined ? undefined : path.join(directory, storeFileName(options.identity));
        this.#listener = listener;
        this.store = machine.openStore({
            mode: options.outbox,
            directory,
            owner: options.identity,
            clock: machine.clock,
            chance: machine,
            listener: {
                failed: (error, setAside) => {
                    this.#problem = error;
                    listener.problemChanged(error);
                    if (setAside !== undefined) void this.#reportUnread(setAside);
                    else if (!this.#isRead) void this.#reportUnread(this.#path);
                },
                recovered: () => {
                    this.#problem = undefined;
                    listener.problemChanged(undefined);
                },
            },
        });
    }

    /** Opens the file. Settles when it is open, or cannot be opened: then it is tried again, and events wait in memory. */
    open(): Promise<void> {
        void this.store.loaded.then(() => {
            this.#isRead = true;
        });
        if (!isSqliteAvailable()) void this.#reportUnread(this.#path);
        return this.store.open();
    }

    /** The file, where there is one. */
    get file(): OutboxFile | undefined {
        const { path } = this.store;
        return path === undefined ? undefined : { path, bytes: this.#fileBytes };
    }

    /** Looks at the size of the file; never rejects. */
    async measure(): Promise<void> {
        this.#fileBytes = await this.store.size();
    }

    /** What the user should know of how events are kept, if there is anything. */
    get warning(): string | undefined {
        if (!this.#isDegraded) return undefined;
        return translate("gateway.memoryOnly", { version: process.version });
    }

    /** Nobody should believe that events are on their way which lie in a file that is not read. */
    async #reportUnread(file: string | undefined): Promise<void> {
        const count = file === undefined ? 0 : await countStoredEvents(file);
        if (file === undefined || !count) return;
        const { version } = process;
        if (isSqliteAvailable()) this.#listener.warn(translate("gateway.unreadEvents", { file, count }));
        else this.#listener.warn(translate("gateway.unreadEventsOldNode", { file, count, version }));
    }

    get condition(): StorageCondition {
        return { outbox: this.#outbox, isDegraded: this.#isDegraded, storeProblem: this.#problem };
    }
}

type StorageMachine = Pick<Machine, "clock" | "random" | "createId" | "openStore">;

/** Notified of the condition of the storage. */
export interface StorageListener {
    /** The outbox file cannot be used (`error`), or can be used again (undefined). */
    problemChanged(error: GatewayError | undefined): void;
    /** The user should know something that changes nothing. */
    warn(text: string): void;
}

/** The file that events and states are kept in. */
export interface OutboxFile {
    readonly path: string;
    /** What it takes up on the disk, its journal included; looked at every few seconds. */
    readonly bytes: number;
}

/** A file that need not be in use. */
export interface FoundFile extends OutboxFile {
    /** The number of events that wait in it; undefined where it cannot be found out. */
    readonly events: number | undefined;
}

/** How events are kept, for the gateway's state. */
export interface StorageCondition {
    readonly outbox: OutboxKind;
    /** A disk outbox was asked for, but this Node.js is too old for it. */
    readonly isDegraded: boolean;
    readonly storeProblem: GatewayError | undefined;
}
