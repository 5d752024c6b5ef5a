import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { waitFor } from "../support/wait-for";

const root = process.cwd();

/** What `npm start` does after it has built the package, run by npm from a package of its own. */
class Demo {
    readonly #npm: ChildProcess;
    #output = "";

    constructor(folder: string) {
        // The demo runs on the Node.js that the scripts run on.
        const PATH = [path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
        const { PORT: _, ...env } = process.env;
        this.#npm = spawn("npm", ["start", "--silent"], { cwd: folder, env: { ...env, PATH }, stdio: ["ignore", "pipe", "pipe"] });
        for (const stream of [this.#npm.stdout, this.#npm.stderr]) stream?.on("data", (chunk) => (this.#output += chunk));
    }

    get output(): string {
        return this.#output;
    }

    /** Waits for a line of the terminal; returns its groups. */
    async says(line: RegExp): Promise<RegExpExecArray> {
        return waitFor(
            () => line.exec(this.#output),
            () => `${line} in\n${this.#output}`,
            100_000,
        );
    }

    /** Presses the button of an inject node. */
    async press(id: string): Promise<void> {
        const [, url] = await this.says(/now running at (http:\S+)/);
        const { status } = await fetch(`${url}inject/${id}`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: "{}",
        });
        assert.equal(status, 200);
    }

    /** Ends npm, and nothing else; waits until Node-RED has closed the terminal. */
    async endNpm(signal: NodeJS.Signals): Promise<void> {
        const closed = once(this.#npm, "close");
        this.#npm.kill(signal);
        await closed;
    }
}

describe("the demo of npm start", () => {
    let folder: string;
    const demos: Demo[] = [];

    before(() => {
        folder = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-demo-"));
        mkdirSync(path.join(folder, "directories"));
        writeFileSync(
            path.join(folder, "package.json"),
            JSON.stringify({ name: "demo", version: "1.0.0", scripts: { start: "node start.mjs" } }),
        );
        const module = pathToFileURL(path.join(root, "scripts", "demo", "run.mjs")).href;
        writeFileSync(
            path.join(folder, "start.mjs"),
            `import { runDemo } from ${JSON.stringify(module)};\nawait runDemo("directories");\n`,
        );
        demos.push(new Demo(folder), new Demo(folder));
    });

    after(() => rmSync(folder, { recursive: true, force: true }));

    for (const which of [0, 1]) {
        it(`shows what each of the five nodes does in demo ${which + 1} of two beside each other`, async () => {
            const demo = demos[which];
            assert.ok(demo);
            await demo.says(/demo gateway\] Connected to 127\.0\.0\.1:\d+ as g:demo:gateway:gw1/);
            await demo.says(/event delivered: pump-3/);
            await demo.says(/event delivered: the gateway itself/);
            await demo.says(/command received: pump-\d setSpeed/);
            await demo.says(/health: connected, \d+ waiting, 0 held/);
            await demo.press("demo-restart-tick");
            await demo.says(/request received: device\/reboot/);
            await demo.press("demo-stranger-tick");
            await demo.says(/refused: pump-9, rc 180/);
            await demo.says(/GW_REFUSED/);
        });
    }

    it("the two demos have ports of their own", async () => {
        const found = await Promise.all(
            demos.map(async (demo) => {
                const [, editor] = await demo.says(/now running at http:\/\/127\.0\.0\.1:(\d+)/);
                const [, simulator] = await demo.says(/Connected to 127\.0\.0\.1:(\d+) as g:/);
                return [editor, simulator];
            }),
        );
        assert.equal(new Set(found.flat()).size, 4, String(found));
    });

    for (const [index, signal] of (["SIGTERM", "SIGKILL"] as const).entries()) {
        it(`Node-RED ends cleanly when npm is ended by ${signal}`, async () => {
            const demo = demos[index];
            assert.ok(demo);
            await demo.endNpm(signal);
            assert.match(demo.output, /Stopped flows/);
        });
    }
});
