import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { installedPackage } from "../support/drivers/installed-package";
import { freePort, freePortPair } from "../support/ports";
import { waitFor } from "../support/wait-for";

const agentName = "@flowfuse/device-agent";

/** Where the agent is: as `FLOWFUSE_DEVICE_AGENT` says, or among the packages of this project or of the machine. */
function findAgent(): string | undefined {
    const { FLOWFUSE_DEVICE_AGENT: chosen } = process.env;
    const folders = (require.resolve.paths(agentName) ?? []).map((folder) => path.join(folder, agentName));
    return [...(chosen === undefined ? [] : [chosen]), ...folders].find((folder) => existsSync(path.join(folder, "index.js")));
}

const agent = findAgent();

// The agent is no dependency of the project, not even of its tests: it runs where somebody has installed it.
if (agent !== undefined) {
    describe("a FlowFuse device agent", function () {
        this.timeout(180_000);
        let directory: string;
        let child: ChildProcess | undefined;

        beforeEach(() => {
            directory = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-agent-"));
        });

        afterEach(async () => {
            child?.kill("SIGTERM");
            await waitFor(() => child === undefined || child.exitCode !== null || child.signalCode !== null, "the agent to end");
            rmSync(directory, { recursive: true, force: true });
        });

        it("the agent runs the package offline, from a local snapshot and its module cache, with an outbox on disk", async () => {
            const modules = path.join(directory, "module_cache", "node_modules");
            cpSync(path.join(installedPackage().userDir, "node_modules"), modules, { recursive: true });
            symlinkSync(path.dirname(require.resolve("node-red/package.json")), path.join(modules, "node-red"), "dir");
            const at = { z: "tab", x: 100, y: 100, wires: [] };
            const device = { typeId: "pump", typeIdType: "str", deviceId: "p1", deviceIdType: "str" };
            const identity = { orgId: "demo", typeId: "gw", deviceId: "agent-1" };
            const flows = [
                { id: "tab", type: "tab", label: "agent" },
                { id: "gateway", type: "gateway-config", platform: "simulator", port: String(await freePortPair()), ...identity },
                {
                    ...at,
                    id: "once",
                    type: "inject",
                    once: true,
                    props: [{ p: "payload" }],
                    payload: "1",
                    payloadType: "num",
                    wires: [["event"]],
                },
                { ...at, id: "event", type: "device-event-out", gateway: "gateway", ...device },
                { ...at, id: "complete", type: "complete", scope: ["event"], wires: [["done"]] },
                { ...at, id: "done", type: "function", func: "node.log(`done ${msg.payload}`)" },
            ];
            const snapshot = {
                id: "local",
                name: "local",
                flows,
                credentials: {},
                modules: {},
                env: { FF_PROJECT_NAME: "local" },
                settings: {},
            };
            const instance = {
                application: "app",
                snapshot,
                settings: { hash: "local", env: {} },
                mode: "autonomous",
                targetState: "running",
            };
            writeFileSync(path.join(directory, "flowfuse-instance.json"), JSON.stringify(instance));
            // Nobody listens at the address of the platform.
            const config = {
                deviceId: "agent-1",
                token: "none",
                credentialSecret: "test",
                forgeURL: `http://127.0.0.1:${await freePort()}`,
                port: await freePort(),
            };
            const configFile = path.join(directory, "device.yml");
            writeFileSync(configFile, JSON.stringify(config));
            const log: string[] = [];
            const started = spawn(process.execPath, [
                path.join(agent, "index.js"),
                "-d",
                directory,
                "-c",
                configFile,
                "-m",
                "--no-interactive",
            ]);
            child = started;
            for (const stream of [started.stdout, started.stderr]) stream.on("data", (chunk) => log.push(String(chunk)));
            await waitFor(
                () => log.join("").includes("done 1"),
                () => `the event to be done:\n${log.join("")}`,
                120_000,
            );
            assert.match(log.join(""), /Using module_cache/);
            assert.ok(readdirSync(path.join(directory, "project", "wiotp-gateway")).includes("gw+demo+gw+agent-1.sqlite"));
        });
    });
}
