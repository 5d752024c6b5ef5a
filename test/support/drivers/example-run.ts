import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePortPair } from "../ports";
import { requireRecord } from "../records";
import { waitFor } from "../wait-for";
import type { EditorPage } from "./editor-page";
import type { EditorServer, EditorSuite } from "./editor-suite";
import { NodeRedProcess } from "./node-red-process";

const packageName = "node-red-contrib-wiotp-gateway";

/** The names of the examples, as the import menu shows them. */
export const exampleNames = readdirSync("examples")
    .filter((file) => file.endsWith(".json"))
    .map((file) => path.basename(file, ".json"))
    .sort();

/** A Node-RED with this package installed as by the palette; its examples use a port that is free. */
export class ExampleServer implements EditorServer {
    private constructor(
        readonly nodeRed: NodeRedProcess,
        /** Where the simulator of the examples listens; its HTTP API on the next one. */
        readonly port: number,
    ) {}

    static async start(module: string): Promise<ExampleServer> {
        const port = await freePortPair();
        // After a cut the application would come back after 15 seconds only.
        const settings = { mqttReconnectTime: 500 };
        const nodeRed = await NodeRedProcess.start(module, { installedIn: installExamples(port), settings });
        return new ExampleServer(nodeRed, port);
    }

    async stop(): Promise<void> {
        await this.nodeRed.stop();
        rmSync(this.nodeRed.userDir, { recursive: true, force: true });
    }

    /** Asks the simulator's HTTP API. */
    async simulator(route: string): Promise<unknown> {
        const response = await fetch(`http://127.0.0.1:${this.port + 1}${route}`);
        return response.json();
    }
}

/** One example in the editor: imported through the menu into a workspace that holds nothing else, and shown. */
export class ExampleRun {
    readonly #nodes: Record<string, unknown>[];

    private constructor(
        readonly editor: EditorPage,
        readonly name: string,
    ) {
        const nodes: unknown = JSON.parse(readFileSync(path.join("examples", `${name}.json`), "utf8"));
        this.#nodes = Array.isArray(nodes) ? nodes.map(requireRecord) : [];
    }

    static async import(suite: EditorSuite<ExampleServer>, name: string): Promise<ExampleRun> {
        const run = new ExampleRun(await suite.open({ flows: [{ id: "empty", type: "tab", label: "Flow 1" }] }), name);
        await run.editor.importExample(name);
        await run.editor.showFlow(run.#id("tab", "type"));
        return run;
    }

    /** The id of the one node of this example with a name or, for those without, of a type. */
    id(nameOrType: string): string {
        const named = this.#nodes.some((node) => node.name === nameOrType);
        return this.#id(nameOrType, named ? "name" : "type");
    }

    #id(value: string, property: string): string {
        const found = this.#nodes.filter((node) => node[property] === value);
        if (found.length !== 1) throw new Error(`${this.name} has ${found.length} nodes ${value}`);
        return String(found[0]?.id);
    }

    /** Whether this example has a node of a type. */
    has(type: string): boolean {
        return this.#nodes.some((node) => node.type === type);
    }

    /** Clicks the button of an inject node. */
    press(name: string): Promise<void> {
        return this.editor.press(this.id(name));
    }

    /** Waits until the status of a node matches. */
    shows(nameOrType: string, wanted: RegExp): Promise<string> {
        return waitFor(async () => {
            const text = await this.editor.statusText(this.id(nameOrType));
            return wanted.test(text) ? text : undefined;
        }, `${nameOrType} to show ${wanted}`);
    }

    /** Waits for a message in the debug sidebar whose text matches. */
    async debugs(wanted: RegExp): Promise<void> {
        await this.editor.page.locator(".red-ui-debug-msg").filter({ hasText: wanted }).first().waitFor({ state: "attached" });
    }
}

/**
 * A user directory in which the built package is installed, its examples moved from the simulator's usual port to `port`, so
 * that tests can run alongside a Node-RED that plays the examples.
 */
function installExamples(port: number): string {
    const userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-examples-"));
    const target = path.join(userDir, "node_modules", packageName);
    mkdirSync(target, { recursive: true });
    for (const name of ["dist", "resources", "examples", "package.json"]) cpSync(name, path.join(target, name), { recursive: true });
    symlinkSync(path.resolve("node_modules"), path.join(target, "node_modules"), "dir");
    writeFileSync(
        path.join(userDir, "package.json"),
        JSON.stringify({ name: "user", private: true, dependencies: { [packageName]: "*" } }),
    );
    const examples = path.join(target, "examples");
    for (const file of readdirSync(examples)) {
        const text = readFileSync(path.join(examples, file), "utf8");
        writeFileSync(path.join(examples, file), text.replaceAll("18830", String(port)).replaceAll("18831", String(port + 1)));
    }
    return userDir;
}
