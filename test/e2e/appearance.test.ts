import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dialogFaults, pictureOfDialog, takePicture } from "../support/drivers/appearance";
import { drawnSize, layoutFaults } from "../support/drivers/canvas";
import { EditorSuite, sharedServer } from "../support/drivers/editor-suite";
import { nodeRedModules } from "../support/drivers/node-red-process";
import { freePortPair } from "../support/ports";
import { requireRecord } from "../support/records";

/** The demo of `npm start` on a port of its own. */
function demo(port: number): Record<string, unknown>[] {
    const text = readFileSync("scripts/demo/flows.json", "utf8")
        .replaceAll("${SIMULATOR_PORT}", String(port))
        .replaceAll('env.get(\\"SIMULATOR_PORT\\")', String(port));
    const nodes: unknown = JSON.parse(text);
    return Array.isArray(nodes) ? nodes.map(requireRecord) : [];
}

/** One node of each type as a site may have it, in a flow that does not run. */
const site: Record<string, unknown>[] = [
    { id: "site", type: "tab", label: "Site", disabled: true },
    {
        id: "gateway",
        type: "gateway-config",
        z: "site",
        name: "plant 4",
        platform: "maximo",
        host: "plant4.messaging.iot.mas.example.com",
        orgId: "plant4",
        typeId: "edge-gateway",
        deviceId: "hall-2",
    },
    { id: "event", type: "device-event-out", typeId: "pump", typeIdType: "str" },
    { id: "command", type: "device-command-in", typeId: "pump", commandId: "start" },
    { id: "notice", type: "gateway-notify-in" },
    { id: "management", type: "dm-responder", deviceInfo: '{"serialNumber": "10087", "fwVersion": "1.4.2"}' },
].map((node, index) => (index < 2 ? node : { z: "site", name: "", gateway: "gateway", x: 300, y: 80 * index, wires: [[], []], ...node }));

const dialogs = {
    event: "device-event-out",
    command: "device-command-in",
    notice: "gateway-notify-in",
    management: "dm-responder",
} as const;

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`the appearance of the editor in ${version}`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(() => sharedServer(module));

        for (const theme of module === "node-red" ? (["light", "dark"] as const) : (["light"] as const)) {
            // The pictures of the documents are those of the newer version.
            const nameOf = (what: string) => (module === "node-red" ? `${what}-${theme}` : `${what}-${theme}-4.1`);
            const fits = (brightness: number) => (theme === "dark" ? brightness < 0.35 : brightness > 0.65);

            suite.test(`every form can be read in the ${theme} theme`, async () => {
                const editor = await suite.open({ theme, flows: site });
                const { page } = editor;
                for (const [id, type] of Object.entries(dialogs)) {
                    await editor.dialog.open(id);
                    assert.deepEqual(await dialogFaults(editor), [], type);
                    assert.ok(fits(await pictureOfDialog(editor, nameOf(type))), `${type} is not ${theme}`);
                    if (type !== "dm-responder") {
                        await editor.dialog.done("#node-dialog-cancel");
                        continue;
                    }
                    await page.locator("#node-input-btn-gateway-edit").click();
                    await page.locator("#node-config-input-platform").waitFor();
                    await editor.dialog.settled();
                    for (const tab of ["connection", "security", "outbox", "advanced"]) {
                        await editor.dialog.gatewayTab(tab);
                        assert.deepEqual(await dialogFaults(editor), [], tab);
                        assert.ok(fits(await pictureOfDialog(editor, nameOf(`gateway-config-${tab}`))), `${tab} is not ${theme}`);
                    }
                    await editor.dialog.fill("node-config-input-will", "a/b");
                    await page.locator("#node-config-input-will-reason").waitFor();
                    assert.deepEqual(await dialogFaults(editor), [], "with a reason");
                    await editor.dialog.done("#node-config-dialog-cancel");
                    await editor.dialog.done("#node-dialog-cancel");
                }
            });

            suite.test(`the demo runs and can be read in the ${theme} theme`, async () => {
                const editor = await suite.open({ theme, flows: demo(await freePortPair()) });
                await editor.statusOf("demo-device-event", /^connected$/);
                await editor.statusOf("demo-command", /^connected$/);
                await editor.statusOf("demo-application-in", /connected/);
                assert.deepEqual(await layoutFaults(editor), []);
                await editor.page.locator(".red-ui-notification").waitFor({ state: "detached" });
                const canvas = await editor.page.locator("#red-ui-workspace-chart").boundingBox();
                assert.ok(canvas);
                const brightness = await takePicture(editor, { ...canvas, ...(await drawnSize(editor)) }, nameOf("demo"));
                assert.ok(fits(brightness), `the demo is not ${theme}: ${brightness}`);
                await editor.page.locator("#red-ui-workspace-tabs").getByText("Platform demo").click();
                await editor.statusOf("demo-manager", /managed/);
                await editor.statusOf("demo-log-health", /^connected$/);
                assert.deepEqual(await layoutFaults(editor), []);
            });
        }
    });
}
