import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";

/** The clock and the names that a Node-RED process sees, which a test can spoil without touching the machine's. */
export class Surroundings {
    /** The name of the server. */
    readonly host = "broker.campaign.test";
    readonly #file: string;
    #isHostKnown = true;
    #clockOffsetMs = 0;

    constructor(directory: string) {
        this.#file = path.join(directory, "surroundings.json");
        this.#write();
    }

    /** What Node-RED is to be started with. */
    get env(): Record<string, string> {
        return {
            NODE_OPTIONS: `--require=${path.join(process.cwd(), "test/reliability/fixtures/surroundings.js")}`,
            SURROUNDINGS: this.#file,
        };
    }

    /** Whether the name of the server can be looked up. */
    set isHostKnown(isKnown: boolean) {
        this.#isHostKnown = isKnown;
        this.#write();
    }

    /** Sets the clock ahead or back. */
    moveClock(byMs: number): void {
        this.#clockOffsetMs += byMs;
        this.#write();
    }

    #write(): void {
        const content = { host: this.host, isHostKnown: this.#isHostKnown, clockOffsetMs: this.#clockOffsetMs };
        writeFileSync(`${this.#file}.new`, `${JSON.stringify(content)}\n`);
        renameSync(`${this.#file}.new`, this.#file);
    }
}
