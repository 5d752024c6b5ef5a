import { EventEmitter } from "node:events";
import type { NodeAPI } from "node-red";
import { systemClock } from "../../clock";
import { describeThrown } from "../../errors";
import { shortened } from "../../i18n";
import { RecentItems } from "../../recent-items";

const capacity = 200;
const maxCharacters = 2_000;
const levels: Readonly<Record<number, string>> = { 10: "fatal", 20: "error", 30: "warn", 40: "info", 50: "debug", 60: "trace" };

/** Keeps the last lines that nodes of the given types wrote to the log, whatever level the console shows. */
export class LogRing {
    readonly #lines = new RecentItems<LogLine>(capacity);
    readonly #types: ReadonlySet<string>;

    constructor(RED: NodeAPI, types: readonly string[]) {
        this.#types = new Set(types);
        const handler = new EventEmitter();
        handler.on("log", (entry: unknown) => this.#add(entry as Readonly<Record<string, unknown>>));
        RED.log.addHandler(handler);
    }

    /** The oldest first. */
    get lines(): readonly LogLine[] {
        return this.#lines.items;
    }

    #add({ level, type, id, name, msg, timestamp }: Readonly<Record<string, unknown>>): void {
        const levelName = levels[Number(level)];
        if (levelName === undefined || typeof type !== "string" || !this.#types.has(type)) return;
        this.#lines.add({
            at: new Date(typeof timestamp === "number" ? timestamp : systemClock.now()).toISOString(),
            level: levelName,
            type,
            node: String(name || id),
            text: shortened(textOf(msg), maxCharacters),
        });
    }
}

/** A line of Node-RED's log that a node of this package wrote. */
export interface LogLine {
    /** ISO 8601. */
    readonly at: string;
    readonly level: string;
    readonly type: string;
    readonly node: string;
    readonly text: string;
}

function textOf(message: unknown): string {
    if (typeof message === "string") return message;
    const code = message instanceof Error && "code" in message ? `${String(message.code)}: ` : "";
    return `${code}${describeThrown(message)}`;
}
