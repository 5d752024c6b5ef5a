import assert from "node:assert/strict";
import { EditorSuite } from "../support/drivers/editor-suite";
import { NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { deployPanelFlow } from "../support/drivers/panel-flow";
import { PanelPage } from "../support/drivers/panel-page";

/** The passwords are the names with `-pw`; the guest has the viewer's. */
const users = [
    { username: "admin", permissions: "*", password: "$2b$08$87yRL44/Z5Nhou8iKzT.iuZ.npUbOBUJOZWaOnRKPT7Gc87iIGOyu" },
    { username: "viewer", permissions: "read", password: "$2b$08$BKvCDBhYH9ikP4PcICpji.AdMn2ONLPhir9TOCJWASuLeddS.iB.u" },
    {
        username: "guest",
        permissions: ["settings.read", "nodes.read", "flows.read", "plugins.read", "status.read"],
        password: "$2b$08$BKvCDBhYH9ikP4PcICpji.AdMn2ONLPhir9TOCJWASuLeddS.iB.u",
    },
];

const reads = [
    "wiotp-gateway/metrics",
    "wiotp-gateway/state",
    "wiotp-gateway/diagnostics",
    "wiotp-gateway/uplot.js",
    "wiotp-gateway/uplot.css",
    "gateway-config/g1/history",
    "gateway-config/g1/devices",
    "gateway-config/g1/notifications",
    "gateway-config/g1/requests",
];
const actions = [
    "connect",
    "disconnect",
    "pause",
    "resume",
    "reconnect",
    "release",
    "purge",
    "forget",
    "simulator-link",
    "simulator-command",
    "simulator-request",
    "simulator-trouble",
];

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`the panel in ${version} with logins`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(async () => {
            const nodeRed = await NodeRedProcess.start(module, { settings: { adminAuth: { type: "credentials", users } } });
            return { nodeRed, stop: () => nodeRed.stop() };
        });

        /** The statuses of all routes that only read, and of all actions. */
        async function statuses(): Promise<{ read: Set<number>; watch: number; act: Set<number> }> {
            const { nodeRed } = suite;
            const post = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
            const read = await Promise.all(reads.map(async (location) => (await nodeRed.ask(location)).status));
            const act = await Promise.all(
                actions.map(async (name) => (await nodeRed.ask(`gateway-config/g1/actions/${name}`, post)).status),
            );
            return { read: new Set(read), watch: (await nodeRed.ask("gateway-config/g1/watch", post)).status, act: new Set(act) };
        }

        suite.test("does not answer users who have not logged in", async () => {
            assert.deepEqual(await statuses(), { read: new Set([401]), watch: 401, act: new Set([401]) });
        });

        // The panel is the same in each version; the routes are the version's own.
        if (module !== nodeRedModules["Node-RED 5"]) return;

        suite.test("shows the panel to a reader, but neither offers nor carries out an action", async () => {
            const { nodeRed } = suite;
            await nodeRed.logIn("admin", "admin-pw");
            await deployPanelFlow(nodeRed);
            const accessToken = await nodeRed.logIn("viewer", "viewer-pw");
            assert.deepEqual(await statuses(), { read: new Set([200]), watch: 200, act: new Set([401]) });
            const editor = await suite.open({ accessToken });
            const panel = await PanelPage.open(editor);
            await panel.phase("connected");
            const device = panel.device("pump/p1");
            await device.locator(".wiotp-panel-device-head").click();
            await device.filter({ hasText: "You can look but not act" }).waitFor();
            for (const action of [...actions, "cutLine"]) {
                const button = panel.content.locator(`[data-action="${action}"]:visible`);
                assert.equal(await button.count(), 0, `${action} is offered`);
            }
        });

        suite.test("explains missing permissions in a plain sentence, and does not ask the server again", async () => {
            const accessToken = await suite.nodeRed.logIn("guest", "viewer-pw");
            assert.deepEqual(await statuses(), { read: new Set([401]), watch: 401, act: new Set([401]) });
            const editor = await suite.openAnother({ accessToken });
            const panel = await PanelPage.open(editor);
            await panel.says("You cannot see the gateways");
            await panel.content.locator('[data-action="diagnostics"]').click();
            await panel.reported("You cannot see the gateways");
            // The browser's own words about the two refusals.
            const refused = editor.complaints.splice(0).filter((each) => each.startsWith("401: "));
            assert.deepEqual(
                refused.map((each) => new URL(each.slice(5)).pathname),
                ["/wiotp-gateway/state", "/wiotp-gateway/diagnostics"],
            );
        });
    });
}
