import type { SqlValue } from "node:sqlite";
import type { GatewayError } from "../../errors";
import { stateColumns } from "./worker-protocol";

/** The states as the file held them, and the changes that are to be written. */
export class StateJournal {
    readonly #kinds = new Map<string, Map<string, string>>();
    /** Changes not written yet, by kind and key; null removes. */
    #changes = new Map<string, [kind: string, key: string, value: string | null]>();
    #flushes: Flush[] = [];

    get hasChanges(): boolean {
        return this.#changes.size > 0;
    }

    /** Whether somebody waits for the next write. */
    get hasFlushes(): boolean {
        return this.#flushes.length > 0;
    }

    /** Takes what the file holds; changes made meanwhile stay. */
    load(values: readonly SqlValue[]): void {
        for (let index = 0; index < values.length; index += stateColumns.length) {
            const [kind, key, value] = values.slice(index, index + stateColumns.length);
            if (typeof kind !== "string" || typeof key !== "string" || typeof value !== "string") continue;
            if (!this.#changes.has(changeKey(kind, key))) this.#kind(kind).set(key, value);
        }
    }

    entries(kind: string): Iterable<[key: string, value: string]> {
        return this.#kinds.get(kind) ?? [];
    }

    put(kind: string, key: string, value: string): void {
        this.#kind(kind).set(key, value);
        this.#changes.set(changeKey(kind, key), [kind, key, value]);
    }

    remove(kind: string, key: string): void {
        this.#kinds.get(kind)?.delete(key);
        this.#changes.set(changeKey(kind, key), [kind, key, null]);
    }

    /** Everything, for a new file that holds nothing yet. */
    putAll(): void {
        for (const [kind, values] of this.#kinds) for (const [key, value] of values) this.put(kind, key, value);
    }

    /** Settles with the next write. */
    flushed(): Promise<void> {
        return new Promise((resolve, reject) => this.#flushes.push({ resolve, reject }));
    }

    /** The changes to be written, and what to call with the outcome. */
    take(): { values: SqlValue[]; written: (error: GatewayError | undefined) => void } {
        const changes = this.#changes;
        const flushes = this.#flushes;
        this.#changes = new Map();
        this.#flushes = [];
        const written = (error: GatewayError | undefined): void => {
            // What failed is written again, unless it has changed once more.
            if (error) this.#changes = new Map([...changes, ...this.#changes]);
            for (const flush of flushes) {
                if (error) flush.reject(error);
                else flush.resolve();
            }
        };
        return { values: [...changes.values()].flat(), written };
    }

    #kind(kind: string): Map<string, string> {
        let values = this.#kinds.get(kind);
        if (!values) {
            values = new Map();
            this.#kinds.set(kind, values);
        }
        return values;
    }
}

interface Flush {
    readonly resolve: () => void;
    readonly reject: (error: GatewayError) => void;
}

function changeKey(kind: string, key: string): string {
    return `${kind}\n${key}`;
}
