import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { installedPackage } from "../support/drivers/installed-package";
import { requireRecord } from "../support/records";

const root = process.cwd();
const manifest = requireRecord(JSON.parse(readFileSync("package.json", "utf8")));
const packageName = String(manifest.name);
const nodeFiles = Object.values(requireRecord(requireRecord(manifest["node-red"]).nodes)).map(String);
const rootModules = path.join(root, "node_modules");

/** A code block of a document of the installed package. */
function blockOf(userDir: string, document: string, language: string): string {
    const text = readFileSync(path.join(userDir, "node_modules", packageName, document), "utf8");
    const [, block] = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "m").exec(text) ?? [];
    assert.ok(block !== undefined, `${document} has a block of ${language}`);
    return block;
}

describe("what a project can import from the package", () => {
    let userDir: string;
    let project: string;
    let requireInProject: NodeJS.Require;

    before(function () {
        this.timeout(180_000);
        ({ userDir } = installedPackage());
        project = path.join(path.dirname(userDir), "project");
        const modules = path.join(project, "node_modules");
        mkdirSync(path.join(project, "test"), { recursive: true });
        mkdirSync(modules);
        writeFileSync(path.join(project, "package.json"), JSON.stringify({ name: "project", private: true }));
        symlinkSync(path.join(userDir, "node_modules", packageName), path.join(modules, packageName), "junction");
        for (const name of ["node-red", "node-red-node-test-helper"]) {
            symlinkSync(path.join(rootModules, name), path.join(modules, name), "junction");
        }
        requireInProject = createRequire(path.join(project, "index.js"));
    });

    /** Runs a tool of this repository in the project; fails with its output. */
    function run(tool: string, ...args: string[]): string {
        const { status, stdout, stderr } = spawnSync(process.execPath, [require.resolve(tool), ...args], {
            cwd: project,
            encoding: "utf8",
        });
        assert.equal(status, 0, stdout + stderr);
        return stdout;
    }

    it("the simulator, the nodes and package.json are open", () => {
        for (const file of nodeFiles) assert.equal(typeof requireInProject(`${packageName}/${file}`).default, "function", file);
        assert.equal(typeof requireInProject(`${packageName}/simulator`).startSimulator, "function");
        assert.equal(requireInProject(`${packageName}/package.json`).name, packageName);
    });

    it("everything else is closed, and the types hold no code", () => {
        for (const closed of [
            "",
            "/types",
            "/dist/src/errors.js",
            "/dist/src/simulator/simulator.js",
            "/dist/nodes/locales/de/device-event-out.json",
        ]) {
            assert.throws(() => requireInProject(packageName + closed), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" }, closed);
        }
    });

    it("a test of a flow, as docs/testing.md shows it, passes", function () {
        this.timeout(120_000);
        writeFileSync(path.join(project, "test", "boiler.js"), blockOf(userDir, "docs/testing.md", "js"));
        assert.match(stripVTControlCharacters(run("mocha/bin/mocha.js")), /✔ reports the temperature of the boiler[\s\S]*1 passing/);
    });

    it("the declarations compile in a strict TypeScript project, and refuse what the nodes refuse", function () {
        this.timeout(120_000);
        const code = `
            ${blockOf(userDir, "docs/testing.md", "ts")}
            import type { WiotpGatewayControlMessage, WiotpManagementOrder, WiotpNotificationMessage } from "${packageName}/types";
            import { startSimulator } from "${packageName}/simulator";

            export const event: WiotpEventMessage = { payload: { temperature: 21 }, typeId: "boiler", deviceId: 1, qos: 1, custom: true };
            // @ts-expect-error There is no QoS 3.
            export const wrong: WiotpEventMessage = { payload: 1, qos: 3 };
            export const control: WiotpGatewayControlMessage = { gateway: { action: "pause" } };
            // @ts-expect-error There is no such action.
            export const stop: WiotpGatewayControlMessage = { gateway: { action: "stop" } };
            export const order: WiotpManagementOrder = { dm: { action: "firmware", step: "downloaded" } };
            // @ts-expect-error Progress needs a step.
            export const stepless: WiotpManagementOrder = { dm: { action: "firmware" } };
            export const command = ({ commandId, payload }: WiotpCommandMessage): string => commandId + String(payload);
            export const code = ({ payload }: WiotpNotificationMessage): number => payload.rc ?? 0;
            export async function port(): Promise<number> {
                const simulator = await startSimulator({ port: 0, registration: { maxPending: 3 } });
                const sent: number = simulator.publish("org1", "iot-2/type/a/id/b/cmd/c/fmt/json", "{}");
                await simulator.close();
                return simulator.port + sent;
            }
            // @ts-expect-error A port is a number.
            export const failing = startSimulator({ port: "1883" });
        `;
        writeFileSync(path.join(project, "use.ts"), code);
        const compilerOptions = {
            strict: true,
            exactOptionalPropertyTypes: true,
            noEmit: true,
            target: "es2022",
            module: "nodenext",
            types: ["node"],
            typeRoots: [path.join(rootModules, "@types")],
        };
        writeFileSync(path.join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
        const compiler = path.join(path.dirname(require.resolve("typescript/package.json")), "bin", "tsc");
        run(compiler, "-p", ".");
    });
});
