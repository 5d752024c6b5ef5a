import type { Clock } from "../clock";
import { MemoryStore } from "../outbox/memory-store";
import type { EventStore, StateStore } from "../outbox/store";
import type { GatewayOptions } from "./gateway-options";
import type { GatewayState } from "./gateway-state";

/** Where a gateway keeps its events and what it knows. */
export interface Storage {
    readonly events: EventStore;
    readonly state: StateStore;
    readonly condition: Pick<GatewayState, "outbox" | "isDegraded" | "storeProblem">;
    close(deadlineMs: number): Promise<void>;
}

/** Opens the storage; events are kept in memory. */
export function openStorage(options: GatewayOptions, _directory: string, _clock: Clock): Storage {
    const map = new Map<string, Map<string, string>>();
    const kindOf = (kind: string) => {
        const m = map.get(kind) ?? new Map<string, string>();
        map.set(kind, m);
        return m;
    };
    return {
        events: new MemoryStore(),
        state: {
            entries: (kind) => kindOf(kind),
            put: (kind, key, value) => void kindOf(kind).set(key, value),
            remove: (kind, key) => void kindOf(kind).delete(key),
            flush: async () => undefined,
        },
        condition: { outbox: options.outbox === "off" ? "off" : "memory", isDegraded: options.outbox === "disk", storeProblem: undefined },
        close: async () => undefined,
    };
}
