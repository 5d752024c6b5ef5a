import type { StateStore } from "./store";

/** States that last as long as the process, where there is no file. */
export class MemoryStateStore implements StateStore {
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
