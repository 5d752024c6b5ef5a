import { closeSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { requireRecord } from "../../support/records";

/** An error that a Catch node got. */
export interface CaughtError {
    readonly code: string;
    readonly text: string;
}

/** What the flow of a loaded Node-RED noted, read from the file as it grows. */
export class FlowRecord {
    /** Payloads whose message was completed, in that order. */
    done: string[] = [];
    /** Messages that failed: code and payload. */
    failed: string[] = [];
    /** Errors of the gateway itself. */
    problems: CaughtError[] = [];
    /** Texts of statuses, as an editor shows them, without the number of events that wait. */
    statuses: string[] = [];
    /** Payloads of commands. */
    commands: string[] = [];
    readonly #file: number;
    #position = 0;
    #rest = "";

    constructor(path: string) {
        writeFileSync(path, "");
        this.#file = openSync(path, "r");
    }

    /** Reads what was added since. */
    update(): void {
        const buffer = Buffer.alloc(fstatSync(this.#file).size - this.#position);
        this.#position += readSync(this.#file, buffer, 0, buffer.length, this.#position);
        const lines = (this.#rest + buffer.toString()).split("\n");
        this.#rest = lines.pop() ?? "";
        for (const line of lines) this.#add(requireRecord(JSON.parse(line)));
    }

    /** Starts with empty lists again. */
    forget(): void {
        this.update();
        this.done = [];
        this.failed = [];
        this.problems = [];
        this.statuses = [];
        this.commands = [];
    }

    close(): void {
        closeSync(this.#file);
    }

    #add({ kind, payload, code, text }: Record<string, unknown>): void {
        if (kind === "done") this.done.push(String(payload));
        else if (kind === "failed") this.failed.push(`${String(code)} ${String(payload)}`);
        else if (kind === "problem") this.problems.push({ code: String(code), text: String(text) });
        else if (kind === "status") this.statuses.push(statusWords(String(text)));
        else if (kind === "command") this.commands.push(String(payload));
        else throw new Error(`The flow noted ${String(kind)}`);
    }
}

const keyPrefix = "device-event-out.status.";
const catalogue = requireRecord(JSON.parse(readFileSync("nodes/locales/en-US/device-event-out.json", "utf8"))["device-event-out"]);
const words = requireRecord(catalogue.status);

/** A Status node gets the bare key of a text without parameters; each editor puts it into its own language. */
function statusWords(text: string): string {
    const shown = text.startsWith(keyPrefix) ? String(words[text.slice(keyPrefix.length)]) : text;
    return shown.replace(/, waiting: [\d\s+]+(?:\(high: [\d\s+]+\))?$/, "");
}
