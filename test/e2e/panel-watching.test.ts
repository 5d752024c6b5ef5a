import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { EditorPage } from "../support/drivers/editor-page";
import { EditorSuite } from "../support/drivers/editor-suite";
import { NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { PanelPage } from "../support/drivers/panel-page";
import { freePortPair } from "../support/ports";

// What the functions that run in the page use of the editor.
declare const RED: {
    readonly comms: Record<"subscribe" | "unsubscribe", (topic: string, listener: unknown) => void>;
    readonly sidebar: { show(id: string): void };
};
declare const watched: Set<string>;

// A property that is the id of a configuration node would make Node-RED take it for a reference.
const names: Readonly<Record<string, string>> = { g1: "North", g2: "South" };
const gateway = (id: string, port: number, more: object = {}) => ({
    id,
    type: "gateway-config",
    name: names[id],
    platform: "simulator",
    port: String(port),
    orgId: "demo",
    typeId: "gateway",
    deviceId: `hall-${id}`,
    outbox: "memory",
    ...more,
});
const tab = { id: "f1", type: "tab", label: "Hall" };
const user = (id: string, of: string) => ({ id, type: "device-command-in", z: "f1", gateway: of, x: 100, y: 100, wires: [[]] });

for (const [version, module] of Object.entries(nodeRedModules)) {
    // How the panel follows gateways does not depend on the version, and several browsers take long.
    const isNewest = module === nodeRedModules["Node-RED 5"];

    describe(`watching gateways in ${version}`, function () {
        this.timeout(120_000);
        let nodeRed: NodeRedProcess;
        let userDir: string;
        let ports: number[];
        const suite = new EditorSuite(async () => {
            userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-panel-"));
            // In the place of the folder for outbox files.
            writeFileSync(path.join(userDir, "wiotp-gateway"), "");
            ports = [await freePortPair(), await freePortPair(), await freePortPair()];
            nodeRed = await start();
            await nodeRed.deploy([tab, ...one(), ...two()]);
            return {
                get nodeRed() {
                    return nodeRed;
                },
                async stop() {
                    await nodeRed.stop();
                    rmSync(userDir, { recursive: true, force: true });
                },
            };
        });

        function start(): Promise<NodeRedProcess> {
            return NodeRedProcess.start(module, { userDir, settings: { uiPort: ports[2] } });
        }

        async function open(): Promise<{ editor: EditorPage; panel: PanelPage }> {
            const editor = await suite.openAnother();
            return { editor, panel: await PanelPage.open(editor) };
        }

        const [port1, port2] = [() => ports[0] ?? 0, () => ports[1] ?? 0];
        const one = () => [gateway("g1", port1()), user("c1", "g1")];
        const two = () => [gateway("g2", port2(), { outbox: "disk" }), user("c2", "g2")];

        suite.test("follows deploys, renames and removals in another browser, and never switches gateways automatically", async () => {
            await nodeRed.deploy([tab]);
            const { editor, panel } = await open();
            await panel.says("No gateway is deployed yet");
            await nodeRed.deploy([tab, gateway("g1", port1())]);
            await panel.phase("not in use");
            await nodeRed.deploy([tab, ...one(), ...two()]);
            await panel.phase(/^connected$/);
            assert.deepEqual(await panel.choices(), ["North", "South"]);
            await nodeRed.deploy([tab, { ...gateway("g1", port1()), name: "South" }, user("c1", "g1"), ...two()], "nodes");
            await panel.choice("South (g:demo:gateway:hall-g1)").waitFor({ state: "attached" });
            // While the gateway is not there, the server may answer 404.
            assert.deepEqual(editor.complaints, []);
            await nodeRed.deploy([tab, ...two()]);
            await panel.says("no longer deployed");
            assert.deepEqual([await panel.choices(), await panel.chosen()], [["South"], ""]);
            await nodeRed.deploy([tab, ...one(), ...two()]);
            await panel.phase(/^connected$/);
            assert.equal(await panel.chosen(), "g1");
            const others = editor.complaints.splice(0).filter((each) => !/404.*gateway-config\/g1\//.test(each));
            assert.deepEqual(others, []);
        });

        if (!isNewest) return;

        suite.test("shows each browser its own gateway, and that an outbox file cannot be used", async () => {
            const [here, there] = [(await open()).panel, (await open()).panel];
            await there.choose("South", "hall-g2");
            const storage = there.content.locator(".wiotp-panel-summary .wiotp-panel-reason").filter({ hasText: "wiotp-gateway" });
            await storage.waitFor();
            await there.phase(/^connected$/);
            assert.equal(await there.content.locator(".wiotp-panel-connection .wiotp-panel-dot").getAttribute("data-fill"), "red");
            await there.content.locator('[data-action="cutLine"]').click();
            await there.phase("not connected");
            await here.phase(/^connected$/);
            assert.match(await here.server(), /g:demo:gateway:hall-g1/);
            assert.equal(
                await there.content.locator('[data-field="deviceId"]').inputValue(),
                "hall-g2",
                "the platform's side turns with the gateway",
            );
            await there.content.locator('[data-action="cutLine"]').click();
            await there.phase(/^connected$/);
        });

        suite.test("listens only to the gateway that is shown, and to none while the panel is hidden", async () => {
            const { editor, panel } = await open();
            await panel.phase(/^connected$/);
            await editor.page.evaluate(() => {
                const topics = new Set<string>();
                Object.assign(globalThis, { watched: topics });
                for (const [name, note] of [
                    ["subscribe", (topic: string) => topics.add(topic)],
                    ["unsubscribe", (topic: string) => topics.delete(topic)],
                ] as const) {
                    const original = RED.comms[name];
                    RED.comms[name] = (topic, listener) => {
                        note(topic);
                        original(topic, listener);
                    };
                }
            });
            const topics = () => editor.page.evaluate(() => [...watched]);
            await panel.choose("South", "hall-g2");
            assert.deepEqual(await topics(), ["wiotp-gateway/g2"]);
            await panel.choose("North", "hall-g1");
            assert.deepEqual(await topics(), ["wiotp-gateway/g1"]);
            await editor.page.evaluate(() => RED.sidebar.show("info"));
            await panel.content.waitFor({ state: "hidden" });
            await editor.page.waitForFunction(() => watched.size === 0);
        });

        suite.test("keeps focus and selection while numbers change, and asks for confirmation by keyboard before it acts", async () => {
            const { editor, panel } = await open();
            await panel.phase(/^connected$/);
            const reconnect = panel.content.locator('[data-action="reconnect"]');
            await reconnect.focus();
            await panel.content.locator(".wiotp-panel-server").evaluate((shown) => getSelection()?.selectAllChildren(shown));
            const since = panel.content.locator(".wiotp-panel-connection .wiotp-panel-quiet");
            const before = await since.textContent();
            await editor.page.waitForFunction(([shown, text]) => shown?.textContent !== text, [
                await since.elementHandle(),
                before,
            ] as const);
            assert.match(await editor.page.evaluate(() => String(getSelection())), /g:demo:gateway:hall-g1/);
            const focused = () => editor.page.evaluate(() => document.activeElement?.textContent);
            assert.equal(await focused(), "Reconnect now");

            await editor.page.keyboard.press("Enter");
            const question = editor.page.getByRole("alertdialog");
            await question.waitFor();
            assert.equal(await focused(), "Cancel");
            await editor.page.keyboard.press("Escape");
            await question.waitFor({ state: "detached" });
            assert.equal(await focused(), "Reconnect now");
            await editor.page.keyboard.press("Enter");
            await question.waitFor();
            await editor.page.keyboard.press("Tab");
            await editor.page.keyboard.press("Enter");
            await panel.reported("The gateway is reconnecting");
            await panel.phase(/^connected$/);
        });

        suite.test("says that Node-RED does not answer, and recovers automatically", async () => {
            const { editor, panel } = await open();
            await panel.phase(/^connected$/);
            await nodeRed.kill("SIGTERM");
            await panel.says("Node-RED does not answer");
            nodeRed = await start();
            await panel.phase(/^connected$/);
            assert.equal(await panel.chosen(), "g1");
            // What the browser had to say about a server that was away.
            editor.complaints.length = 0;
        });
    });
}
