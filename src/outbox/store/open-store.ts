import { isBuiltin } from "node:module";
import path from "node:path";
import type { Clock } from "../../clock";
import { MemoryStateStore, MemoryStore } from "./memory-store";
import { PreviousBacklog } from "./previous-backlog";
import { SqliteStore } from "./sqlite-store";
import type { EventStore, StateStore } from "./store";
import { type FileOwner, storeFileName } from "./store-file";
import type { StoreHealthListener } from "./store-health";

/** What a gateway keeps, and where. */
export interface GatewayStore {
    readonly events: EventStore;
    readonly state: StateStore;
    /** The file; undefined where SQLite is not available: then nothing survives a restart. */
    readonly path: string | undefined;
    /** Resolves when the file was opened or could not be. */
    readonly ready: Promise<void>;
    /** Resolves when the file has been opened: `state` holds what it holds from then on. */
    readonly loaded: Promise<void>;
    /** Bytes that the file takes up. */
    size(): Promise<number>;
    /** Writes what is left of the states and gives the file free. */
    close(deadlineMs: number): Promise<void>;
}

/** Which store a gateway needs. */
export interface OpenStoreOptions {
    readonly mode: "disk" | "memory" | "off";
    /** The folder of the files, created when needed; without one (in tests of flows) everything is in memory. */
    readonly directory: string | undefined;
    readonly owner: FileOwner;
    readonly clock: Clock;
    readonly listener: StoreHealthListener;
    /** The file is opened when this resolves; at once when absent. */
    readonly opensWhen?: Promise<void> | undefined;
}

/** Whether events can be kept on disk at all; when not, `disk` means memory and the user must be told. */
export function canUseDisk(directory: string | undefined): boolean {
    return directory !== undefined && isSqliteAvailable();
}

/** Opens the store of one gateway identity. Never throws: a file that cannot be used is told to the listener and tried again. */
export function openStore(options: OpenStoreOptions): GatewayStore {
    const { mode, directory, owner, clock, listener, opensWhen } = options;
    if (directory === undefined || !canUseDisk(directory)) {
        const close = (): Promise<void> => Promise.resolve();
        const state = new MemoryStateStore();
        const done = Promise.resolve();
        return { events: new MemoryStore(), state, path: undefined, ready: done, loaded: done, size: () => Promise.resolve(0), close };
    }
    const store = new SqliteStore({ path: path.join(directory, storeFileName(owner)), clock, listener, opensWhen });
    return {
        events: mode === "disk" ? store : new PreviousBacklog(store),
        state: store,
        path: store.path,
        ready: store.ready,
        loaded: store.loaded,
        size: () => store.size(),
        close: (deadlineMs) => store.close(deadlineMs),
    };
}

/** Whether this Node has SQLite built in, and needs no option for it: 22.13 and newer. Does not load it. */
export function isSqliteAvailable(): boolean {
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    return isBuiltin("node:sqlite") && (major > 22 || (major === 22 && minor >= 13));
}
