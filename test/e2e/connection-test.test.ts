import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import type { EditorPage } from "../support/drivers/editor-page";
import { EditorSuite, sharedServer } from "../support/drivers/editor-suite";
import { nodeRedModules } from "../support/drivers/node-red-process";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const token = secretToken;
const clientId = "g:demo:gateway:gateway-1";

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`the connection test in ${version}`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(() => sharedServer(module));
        let simulator: Simulator;
        let editor: EditorPage;

        before(async () => {
            simulator = await startSimulator({ port: 0, httpPort: 0, token });
        });
        after(async () => {
            await simulator?.close();
        });

        const connects = () => simulator.observed.counts(clientId).connect ?? 0;

        /** Clicks a button of the test and waits for what it found; the lines of the report. */
        async function click(button: string): Promise<string[]> {
            const answer = editor.page.waitForResponse((response) => response.url().endsWith("/test"));
            await editor.page.locator(button).click();
            await answer;
            await editor.page.locator("#gateway-config-test:enabled").waitFor();
            const lines = await editor.page.locator("#gateway-config-test-report li").allInnerTexts();
            return lines.map((line) => line.trim());
        }

        suite.test("checks the settings before the first deploy, and logs in only after a second click", async () => {
            editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1" },
                    { id: "c1", type: "device-command-in", z: "f1", name: "", gateway: "", target: "device", x: 300, y: 200, wires: [[]] },
                ],
            });
            const { page } = editor;
            await editor.dialog.open("c1");
            await page.locator("#node-input-btn-gateway-add").click();
            await page.locator("#node-config-input-platform").waitFor();
            await editor.dialog.settled();
            assert.match((await click("#gateway-config-test")).join(), /The settings are incomplete: /);

            await page.locator("#node-config-input-platform").selectOption("broker");
            await page.locator("#node-config-input-transport").selectOption("tcp");
            for (const [property, value] of Object.entries({
                host: "127.0.0.1",
                port: String(simulator.port),
                orgId: "demo",
                typeId: "gateway",
                deviceId: "gateway-1",
            })) {
                await editor.dialog.fill(`node-config-input-${property}`, value);
            }
            await editor.dialog.gatewayTab("security");
            await editor.dialog.fill("node-config-input-token", `wrong-${token}`);
            await editor.dialog.gatewayTab("connection");
            const risk = page.locator("#gateway-config-test-risk");
            assert.equal(await risk.isVisible(), false);
            assert.deepEqual(await click("#gateway-config-test"), [`127.0.0.1 answers on port ${simulator.port}.`]);
            assert.match((await risk.textContent()) ?? "", /another client uses this client id, .* the platform disconnects it/);
            assert.equal(simulator.observed.total("connect"), 0, "no CONNECT without a second click");
            assert.match((await click("#gateway-config-test-connect")).join(), /did not authorise g:demo:gateway:gateway-1/);

            await editor.dialog.gatewayTab("security");
            await editor.dialog.fill("node-config-input-token", token);
            await editor.dialog.gatewayTab("connection");
            assert.equal(await page.locator("#gateway-config-test-report li").count(), 0, "what was found is about older settings");
            await click("#gateway-config-test");
            assert.match((await click("#gateway-config-test-connect")).join(), /The platform accepted the gateway\./);
            assert.equal(connects(), 2);
            await waitFor(() => simulator.observed.counts(clientId).disconnect, "the end of the connection");

            // From here on the gateway itself is connected: the test tells that, and never logs in again.
            await editor.dialog.done("#node-config-dialog-ok");
            await editor.dialog.done();
            await editor.deploy();
            await editor.statusOf("c1", /^connected$/);
            await editor.dialog.open("c1");
            await page.locator("#node-input-btn-gateway-edit").click();
            await page.locator("#node-config-input-platform").waitFor();
            await editor.dialog.settled();
            assert.match((await click("#gateway-config-test")).join(), /^This gateway has been connected since .+\.$/);
            assert.equal(await risk.isVisible(), false);
            assert.equal(connects(), 3);

            // The stored token goes to no other identity.
            await editor.dialog.fill("node-config-input-deviceId", "gateway-2");
            assert.match((await click("#gateway-config-test")).join(), /Enter the token again, or deploy first/);
            assert.equal(await risk.isVisible(), false);
            assert.equal(editor.received.join().includes(token), false, "the server sent the token to the browser");
            await editor.dialog.done("#node-config-dialog-cancel");
            await editor.dialog.done("#node-dialog-cancel");
        });

        suite.test(
            "takes the variables of the editor before the first deploy, several in one field, and shows their names only",
            async () => {
                editor = await suite.open({
                    flows: [
                        { id: "f1", type: "tab", label: "Flow 1" },
                        {
                            id: "c1",
                            type: "device-command-in",
                            z: "f1",
                            name: "",
                            gateway: "",
                            target: "device",
                            x: 300,
                            y: 200,
                            wires: [[]],
                        },
                        { id: "globals", type: "global-config", env: [{ name: "AREA", value: "not this", type: "str" }], modules: {} },
                    ],
                });
                const { page } = editor;
                await editor.change("globals", "env", [
                    { name: "AREA", value: "sim", type: "str" },
                    { name: "PLANT_PORT", value: String(simulator.port), type: "num" },
                    { name: "SAME_AREA", value: "AREA", type: "env" },
                ]);
                await editor.dialog.open("c1");
                await page.locator("#node-input-btn-gateway-add").click();
                await page.locator("#node-config-input-platform").waitFor();
                await editor.dialog.settled();
                await page.locator("#node-config-input-platform").selectOption("broker");
                await page.locator("#node-config-input-transport").selectOption("tcp");
                const settings = {
                    host: "127.0.0.1",
                    port: "${PLANT_PORT}",
                    orgId: "demo",
                    typeId: "${AREA}-gate",
                    deviceId: "${SAME_AREA}-${AREA}",
                };
                for (const [property, value] of Object.entries(settings)) {
                    await editor.dialog.fill(`node-config-input-${property}`, value);
                    assert.equal(await editor.dialog.isMarked(`node-config-input-${property}`), false, property);
                }
                const shown = "g:demo:${AREA}-gate:${SAME_AREA}-${AREA}";
                assert.equal(await page.locator("#gateway-config-preview-address").textContent(), "mqtt://127.0.0.1:${PLANT_PORT}");
                assert.equal(await page.locator("#gateway-config-preview-client-id").textContent(), shown);
                await editor.dialog.gatewayTab("security");
                await editor.dialog.fill("node-config-input-token", `wrong-${token}`);
                await editor.dialog.gatewayTab("connection");
                assert.deepEqual(await click("#gateway-config-test"), ["127.0.0.1 answers on port ${PLANT_PORT}."]);
                const answer = (await click("#gateway-config-test-connect")).join();
                assert.ok(answer.includes(`did not authorise ${shown}`), answer);
                assert.doesNotMatch(answer, /sim-|-sim/);
                assert.equal(simulator.observed.counts("g:demo:sim-gate:sim-sim").connect, 1);
                await editor.dialog.done("#node-config-dialog-cancel");
                await editor.dialog.done("#node-dialog-cancel");
            },
        );
    });
}
