import { isBuiltin } from "node:module";
import path from "node:path";
import type { Chance } from "../../chance";
import type { Clock } from "../../clock";
import { SqliteStore } from "./sqlite-store";
import type { EventStore, StateStore } from "./store";
import { type FileOwner, storeFileName } from "./store-file";
import type { StoreHealthListener } from "./store-health";
import type { StoreThreads } from "./store-threads";

/** What a gateway keeps, and where. */
export interface GatewayStore {
    /** Absent where SQLite is not available: events are in memory only. */
    readonly events: EventStore | undefined;
    /** Whether new events are stored. Otherwise the store only holds what an earlier run has left there. */
    readonly storesEvents: boolean;
    readonly state: StateStore;
    /** The file; undefined where SQLite is not available: then nothing survives a restart. */
    readonly path: string | undefined;
    /** Opens the file, once. Resolves when it is open, or could not be opened: then it is tried again. */
    open(): Promise<void>;
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
    /** Names what this process writes; the one of the machine without it. */
    readonly chance?: Chance;
    readonly listener: StoreHealthListener;
    /** Where the file is opened; the threads of this process without it. */
    readonly threads?: StoreThreads;
}

/** Whether events can be kept on disk at all; when not, `disk` means memory and the user gets a warning. */
export function canUseDisk(directory: string | undefined): boolean {
    return directory !== undefined && isSqliteAvailable();
}

/** Opens the store of one gateway identity. Never throws: a file that cannot be used is reported to the listener and tried again. */
export function openStore(options: OpenStoreOptions): GatewayStore {
    const { mode, directory, owner, listener, ...rest } = options;
    if (directory === undefined || !canUseDisk(directory)) {
        const done = (): Promise<void> => Promise.resolve();
        const state = new MemoryStateStore();
        const noFile = { events: undefined, storesEvents: false, path: undefined, size: () => Promise.resolve(0) };
        return { ...noFile, state, open: done, loaded: done(), close: done };
    }
    const file = path.join(directory, storeFileName(owner));
    const store = new SqliteStore({ path: file, listener, isMadeWhenNeeded: mode !== "disk", ...rest });
    return {
        events: store,
        storesEvents: mode === "disk",
        state: store,
        path: store.path,
        open: () => store.open(),
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

/** States that last as long as the process, where there is no file. */
class MemoryStateStore implements StateStore {
    readonly #kinds = new Map<string, Map<string, string>>();

    entries(kind: string): Iterable<[key: string, value: string]> {
        return this.#kinds.get(kind) ?? [];
    }

    put(kind: string, key: string, value: string): void {
        const values = this.#kinds.get(kind);
        if (values) values.set(key, value);
        else this.#kinds.set(kind, new Map([[key, value]]));
    }

    remove(kind: string, key: string): void {
        this.#kinds.get(kind)?.delete(key);
    }

    flush(): Promise<void> {
        return Promise.resolve();
    }
}
