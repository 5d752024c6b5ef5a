import assert from "node:assert/strict";
import { EditorSuite, sharedServer } from "../support/drivers/editor-suite";
import { nodeRedModules } from "../support/drivers/node-red-process";
import { freePortPair } from "../support/ports";
import { waitFor } from "../support/wait-for";

/** What is typed into each form: first something wrong and the reason it gives, then what is right, and the label it makes. */
const forms = [
    {
        type: "device-event-out",
        field: "deviceId",
        typed: true,
        wrong: "pump 17",
        reason: /^Device id: use 1 to 36/,
        right: "17",
        label: "pump/17 status",
    },
    {
        type: "device-command-in",
        field: "commandId",
        wrong: "a/b",
        reason: /^Command: use at least one/,
        right: "start",
        label: "+/+/start",
    },
    { type: "gateway-notify-in", choice: ["request", "publish"], label: "refused events" },
    {
        type: "dm-responder",
        field: "lifetime",
        wrong: "60",
        reason: /^Lifetime \(s\): use 0, or/,
        right: "3600",
        label: "device manager",
    },
] as const;

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`every node of the palette in ${version}`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(() => sharedServer(module));

        suite.test("every node is dragged, filled in and deployed, and its status follows the link", async () => {
            const port = await freePortPair();
            const gateway = { platform: "simulator", port: String(port), orgId: "demo", typeId: "gateway", deviceId: "gateway-1" };
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1" },
                    { id: "g1", type: "gateway-config", name: "", ...gateway },
                ],
            });
            const { page } = editor;
            const ids: string[] = [];
            for (const [index, form] of forms.entries()) {
                const id = await editor.drag(form.type, { x: 300, y: 80 + 100 * index });
                ids.push(id);
                await editor.dialog.open(id);
                await page.locator("#node-input-gateway").selectOption("g1");
                if (form.type === "device-event-out") {
                    await editor.dialog.chooseType("node-input-typeId", "string");
                    await editor.dialog.fill("node-input-typeId", "pump");
                    await editor.dialog.chooseType("node-input-deviceId", "string");
                }
                if ("field" in form) {
                    await editor.dialog.fill(`node-input-${form.field}`, form.wrong);
                    assert.ok(await editor.dialog.isMarked(`node-input-${form.field}`), form.type);
                    assert.match((await page.locator(`#node-input-${form.field}-reason`).textContent()) ?? "", form.reason);
                    await editor.dialog.fill(`node-input-${form.field}`, form.right);
                    assert.equal(await page.locator(`#node-input-${form.field}-reason`).count(), 0);
                } else {
                    await page.locator(`#node-input-${form.choice[0]}`).selectOption(form.choice[1]);
                }
                await editor.dialog.done();
                assert.equal(await editor.isValid(id), true, form.type);
                const label = editor.node(id).locator(".red-ui-flow-node-label");
                await waitFor(async () => (await label.textContent())?.trim() === form.label, `the label ${form.label}`);
            }
            await editor.deploy();
            const link = async (down: boolean) => {
                const body = JSON.stringify({ down });
                const headers = { "content-type": "application/json" };
                await fetch(`http://127.0.0.1:${port + 1}/sim/link`, { method: "POST", headers, body });
            };
            for (const id of ids) await editor.statusOf(id, /^(connected|managed: 1)$/);
            await link(true);
            for (const id of ids) await editor.statusOf(id, /^(?!connected|managed)/);
            await link(false);
            for (const id of ids) await editor.statusOf(id, /^(connected|managed: 1)$/);
        });

        suite.test("explains a missing value after the user left the field, even to users who cannot see the red frame", async () => {
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1" },
                    { id: "c1", type: "device-command-in", z: "f1", name: "", gateway: "", target: "device", x: 300, y: 200, wires: [[]] },
                ],
            });
            const { page } = editor;
            await editor.dialog.open("c1");
            await page.locator("#node-input-btn-gateway-add").click();
            const host = page.locator("#node-config-input-host");
            await host.waitFor();
            await editor.dialog.settled();
            assert.equal(await page.locator("#node-config-input-host-reason").count(), 0, "nobody was there yet");
            await editor.dialog.fill("node-config-input-host", "mqtts://broker");
            const reason = page.locator("#node-config-input-host-reason");
            assert.equal(await reason.textContent(), "Host: enter only the host name or address, without protocol, port or path");
            assert.deepEqual(
                [await host.getAttribute("aria-invalid"), await host.getAttribute("aria-describedby")],
                ["true", "node-config-input-host-reason"],
            );
            await editor.dialog.fill("node-config-input-host", "");
            assert.equal(await reason.textContent(), "Host: enter a value");
            await editor.dialog.fill("node-config-input-host", `\${HOST}`);
            assert.equal(await reason.count(), 0);
            assert.equal(await host.getAttribute("aria-invalid"), "false");
            // The platform drives the hints.
            assert.equal(await page.locator("#node-config-input-port").getAttribute("placeholder"), "443");
            await page.locator("#node-config-input-platform").selectOption("broker");
            assert.equal(await page.locator("#node-config-input-port").getAttribute("placeholder"), "8883");
            assert.equal(await host.getAttribute("placeholder"), "broker.example.com");
            await page.locator("#node-config-input-transport").selectOption("tcp");
            assert.equal(await page.locator("#node-config-input-port").getAttribute("placeholder"), "1883");
            await page.locator("#node-config-input-platform").selectOption("maximo");
            assert.match((await page.locator("#node-config-input-transport-reason").textContent()) ?? "", /only encrypted connections/);
            await editor.dialog.gatewayTab("security");
            const token = page.locator("#node-config-input-token");
            const note = page.locator("#node-config-input-token-reason");
            await editor.dialog.fill("node-config-input-token", "a token ");
            assert.equal(await note.textContent(), "Token: begins or ends with a blank, which is sent with it");
            assert.equal(await token.getAttribute("aria-describedby"), "node-config-input-token-reason");
            await editor.dialog.fill("node-config-input-token", "a token");
            assert.equal(await note.count(), 0);
            await editor.dialog.done("#node-config-dialog-cancel");
            await editor.dialog.done("#node-dialog-cancel");
        });

        suite.test("completes names that the deployed gateway has seen, and asks nothing while none is deployed", async () => {
            const port = await freePortPair();
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1" },
                    {
                        id: "g1",
                        type: "gateway-config",
                        platform: "simulator",
                        port: String(port),
                        orgId: "demo",
                        typeId: "gateway",
                        deviceId: "1",
                    },
                    {
                        id: "i1",
                        type: "inject",
                        z: "f1",
                        props: [{ p: "payload" }, { p: "typeId", v: "pump", vt: "str" }, { p: "deviceId", v: "pump-17", vt: "str" }],
                        payload: "1",
                        payloadType: "num",
                        x: 100,
                        y: 100,
                        wires: [["e1"]],
                    },
                    { id: "e1", type: "device-event-out", z: "f1", gateway: "g1", x: 300, y: 100, wires: [] },
                    { id: "d1", type: "complete", z: "f1", scope: ["e1"], x: 100, y: 160, wires: [["d2"]] },
                    {
                        id: "d2",
                        type: "debug",
                        z: "f1",
                        tostatus: true,
                        statusVal: "deviceId",
                        statusType: "msg",
                        complete: "deviceId",
                        x: 300,
                        y: 160,
                    },
                    {
                        id: "c1",
                        type: "device-command-in",
                        z: "f1",
                        name: "",
                        gateway: "g1",
                        target: "device",
                        x: 300,
                        y: 240,
                        wires: [[]],
                    },
                ],
            });
            const { page } = editor;
            await editor.statusOf("e1", /^connected$/);
            await editor.press("i1");
            await waitFor(async () => (await editor.statusText("d2")) === "pump-17", "the event to be safe");
            await editor.dialog.open("c1");
            await page.locator("#node-input-deviceId").focus();
            await page.keyboard.type("pu");
            const menu = page.locator(".red-ui-autoComplete-container:visible");
            // Each key asks the gateway, and its answer replaces the menu: a click may come just before.
            await waitFor(async () => {
                await menu.getByText("pump-17").click();
                return (await page.locator("#node-input-deviceId").inputValue()) === "pump-17";
            }, "the name to be completed");
            // A gateway that exists in the editor only: nothing is offered, and the console stays empty.
            await page.locator("#node-input-btn-gateway-add").click();
            await page.locator("#node-config-input-platform").waitFor();
            await page.locator("#node-config-input-platform").selectOption("simulator");
            await editor.dialog.done("#node-config-dialog-ok");
            const answer = page.waitForResponse((response) => response.url().includes("/inventory"));
            await page.locator("#node-input-typeId").focus();
            await page.keyboard.type("pu");
            assert.deepEqual(await (await answer).json(), []);
            await editor.dialog.done("#node-dialog-cancel");
        });
    });
}
