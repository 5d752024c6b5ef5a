import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { EditorPage } from "../support/drivers/editor-page";
import { EditorSuite, sharedServer } from "../support/drivers/editor-suite";
import { nodeRedModules } from "../support/drivers/node-red-process";
import { freePortPair } from "../support/ports";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const token = secretToken;

/** A module of the forms, and every module that it needs. */
function importedBy(name: string, found = new Set<string>()): Set<string> {
    if (found.has(name)) return found;
    found.add(name);
    const text = readFileSync(path.join("resources", "forms", name), "utf8");
    for (const [, imported = ""] of text.matchAll(/ from "\.\/([\w-]+\.mjs)";$/gm)) importedBy(imported, found);
    return found;
}

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`the editor of ${version}`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(() => sharedServer(module));

        /** Fills in a gateway on the simulator; its dialog is open. */
        async function fillGateway(editor: EditorPage, port: number): Promise<void> {
            await editor.page.locator("#node-config-input-platform").selectOption("simulator");
            await editor.dialog.fill("node-config-input-port", String(port));
            await editor.dialog.fill("node-config-input-orgId", "demo");
            await editor.dialog.fill("node-config-input-typeId", "gateway");
            await editor.dialog.fill("node-config-input-deviceId", "gateway-1");
        }

        suite.test("leads a user from an empty workspace to a connected gateway", async () => {
            const editor = await suite.open({ flows: [{ id: "f1", type: "tab", label: "Flow 1" }] });
            const { page } = editor;
            const id = await editor.drag("device-event-out", { x: 300, y: 200 });
            assert.equal(await editor.isValid(id), false, "a node without a gateway is marked");

            await editor.dialog.open(id);
            await page.locator("#node-input-btn-gateway-add").click();
            await page.locator("#node-config-input-host").waitFor();
            assert.ok(await editor.dialog.isMarked("node-config-input-host"));
            await fillGateway(editor, await freePortPair());
            assert.equal(await page.locator("#node-config-input-host").isVisible(), false, "the simulator needs no host");
            assert.equal(await page.locator("#gateway-config-preview-client-id").textContent(), "g:demo:gateway:gateway-1");
            await editor.dialog.gatewayTab("security");
            await editor.dialog.fill("node-config-input-token", token);
            const field = page.locator("#node-config-input-token");
            await field.evaluate((input) => input.setAttribute("type", "text"));
            await assert.rejects(editor.picture(field), /a field of the page contains a secret/, "the search for secrets is blind");
            await field.evaluate((input) => input.setAttribute("type", "password"));
            await editor.dialog.done("#node-config-dialog-ok");

            await editor.dialog.chooseType("node-input-typeId", "string");
            await editor.dialog.fill("node-input-typeId", "pump");
            await editor.dialog.chooseType("node-input-deviceId", "string");
            await editor.dialog.fill("node-input-deviceId", "pump 17");
            assert.ok(await editor.dialog.isMarked("node-input-deviceId"), "a space is not allowed");
            await editor.dialog.fill("node-input-deviceId", "17");
            assert.equal(await editor.dialog.isMarked("node-input-deviceId"), false);
            assert.equal(await page.locator("#device-event-out-preview").textContent(), "iot-2/type/pump/id/17/evt/status/fmt/json");
            await editor.dialog.done();
            assert.equal(await editor.isValid(id), true);
            await editor.deploy();
            await editor.statusOf(id, /^connected/);

            // What was filled in arrived, and the token is nowhere but in the encrypted file.
            const flows = await suite.nodeRed.flows();
            const saved = flows.find((node) => node.id === id);
            assert.deepEqual([saved?.typeId, saved?.typeIdType, saved?.deviceId, saved?.qos], ["pump", "str", "17", "1"]);
            assert.equal(JSON.stringify(flows).includes(token), false);
            await editor.dialog.open(id);
            await page.locator("#node-input-btn-gateway-edit").click();
            await page.locator("#node-config-input-platform").waitFor();
            assert.equal(await page.locator("#node-config-input-token").inputValue(), "__PWRD__");
            await editor.dialog.done("#node-config-dialog-ok");
            await editor.dialog.done();
            assert.equal(
                editor.received.some((body) => body.includes(token)),
                false,
                "the server sent the token to the browser",
            );
            assert.equal(suite.nodeRed.log.includes(token), false);
        });

        suite.test("shows the topics of the user's own broker while they are chosen", async () => {
            const device = { typeId: "pump", typeIdType: "str", deviceId: "1", deviceIdType: "str" };
            const settings = { host: "127.0.0.1", transport: "tcp", orgId: "plant", typeId: "gateway", deviceId: "gw 1" };
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1", disabled: true },
                    { id: "g1", type: "gateway-config", z: "f1", platform: "maximo", ...settings },
                    { id: "e1", type: "device-event-out", z: "f1", gateway: "g1", ...device, x: 300, y: 200 },
                    { id: "n1", type: "gateway-notify-in", z: "f1", gateway: "g1", x: 300, y: 300, wires: [[]] },
                ],
            });
            const { page } = editor;
            const tab = page.locator('#gateway-config-tabs a[href="#gateway-config-tab-broker"]');
            const shown = (name: string) => page.locator(`#gateway-config-preview-${name}`).textContent();
            await editor.dialog.open("e1");
            await page.locator("#node-input-btn-gateway-edit").click();
            await page.locator("#node-config-input-platform").waitFor();
            assert.equal(await tab.isVisible(), false, "the platform's topics cannot be chosen");
            await editor.dialog.fill("node-config-input-deviceId", "gw1");
            await page.locator("#node-config-input-platform").selectOption("broker");
            await editor.dialog.gatewayTab("broker");
            assert.equal(await shown("event"), "iot-2/type/pump/id/pump-7/evt/status/fmt/json");
            assert.equal(await shown("commands"), "iot-2/type/+/id/+/cmd/+/fmt/+");
            const choice = page.locator("#gateway-config-topic-choice");
            for (const [value, event, commands] of [
                ["devices", "plant/pump/pump-7/status", "plant/+/+/cmd/+"],
                ["aws", "dt/gw1/pump/pump-7/status/json", "cmd/gw1/+/+/+/+"],
                ["sensors", "sensors/pump-7/telemetry", "sensors/+/commands/+"],
            ] as const) {
                await choice.selectOption(value);
                assert.deepEqual([await shown("event"), await shown("commands")], [event, commands]);
                assert.ok(Math.max(event.split("/").length, commands.split("/").length) <= 8, "AWS takes seven slashes");
            }
            await editor.dialog.fill("node-config-input-commandTopic", "sensors/{deviceId}/{commandId}");
            assert.equal(await shown("overlap"), "sensors/pump-7/telemetry");
            assert.ok(await page.locator("#gateway-config-preview-overlap").isVisible());
            assert.ok(await editor.dialog.isMarked("node-config-input-commandTopic"));
            assert.equal(await choice.inputValue(), "own");
            await editor.dialog.fill("node-config-input-commandTopic", "commands/{deviceId}/{commandId}");
            assert.equal(await editor.dialog.isMarked("node-config-input-commandTopic"), false);
            assert.equal(await page.locator("#gateway-config-preview-overlap").isVisible(), false);
            await editor.dialog.fill("node-config-input-clientId", "edge 7");
            await editor.dialog.gatewayTab("connection");
            assert.equal(await shown("client-id"), "edge 7");
            await editor.dialog.gatewayTab("advanced");
            await page.locator("#node-config-input-idRule").selectOption("replace");
            await editor.dialog.done("#node-config-dialog-ok");

            await editor.dialog.fill("node-input-deviceId", "pump 7/a");
            assert.equal(await editor.dialog.isMarked("node-input-deviceId"), false, "illegal characters are replaced");
            assert.match(
                (await page.locator("#device-event-out-preview").textContent()) ?? "",
                /^sensors\/pump 7_a-[0-9a-f]{6}\/telemetry$/,
            );
            await editor.dialog.done();
            assert.equal(await editor.property("g1", "commandTopic"), "commands/{deviceId}/{commandId}");
            assert.equal(await editor.isValid("e1"), true);
            assert.equal(await editor.isValid("n1"), false, "there are no notifications on own topics");
        });

        suite.test("loads each file of the forms once", async () => {
            const { page } = await suite.open();
            const addresses = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
            const loaded = addresses.filter((address) => address.includes("/forms/")).map((address) => path.basename(address));
            assert.deepEqual(loaded.sort(), ["forms.css", ...importedBy("forms.mjs")].sort());
        });

        suite.test("keeps environment variables in selects and checkboxes when a dialog is saved", async () => {
            const gateway = { platform: `\${PLATFORM}`, transport: `\${TRANSPORT}`, cleanSession: `\${CLEAN}`, outbox: `\${OUTBOX}` };
            const identity = { host: `\${HOST}`, port: `\${PORT}`, orgId: `\${ORG}`, typeId: `\${TYPE}`, deviceId: `\${ID}` };
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1", disabled: true },
                    { id: "g1", type: "gateway-config", z: "f1", name: "", ...gateway, ...identity },
                    { id: "e1", type: "device-command-in", z: "f1", name: "", gateway: "g1", qos: `\${QOS}`, x: 300, y: 200, wires: [[]] },
                ],
            });
            await editor.dialog.open("e1");
            await editor.page.locator("#node-input-btn-gateway-edit").click();
            await editor.page.locator("#node-config-input-platform").waitFor();
            for (const property of Object.keys(identity))
                assert.equal(await editor.dialog.isMarked(`node-config-input-${property}`), false);
            await editor.dialog.fill("node-config-input-name", "renamed");
            await editor.dialog.done("#node-config-dialog-ok");
            await editor.dialog.done();
            for (const [property, value] of Object.entries({ ...gateway, ...identity, name: "renamed" })) {
                assert.equal(await editor.property("g1", property), value, property);
            }
            assert.equal(await editor.property("e1", "qos"), `\${QOS}`);
        });

        suite.test("gives a command node an input while the flow has to send commands back, and takes it away with its wires", async () => {
            const place = { z: "f1", gateway: "g1", x: 400 };
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1", disabled: true },
                    { id: "g1", type: "gateway-config", z: "f1", platform: "simulator", orgId: "demo", typeId: "gateway", deviceId: "1" },
                    { id: "c1", type: "device-command-in", ...place, y: 100, wires: [[]] },
                    { id: "c2", type: "device-command-in", ...place, y: 200, acknowledge: "flow", inputs: 1, wires: [["x1"]] },
                    { id: "x1", type: "junction", z: "f1", x: 600, y: 200, wires: [["c2"]] },
                ],
            });
            const { page } = editor;
            const inputs = (id: string) => page.locator(`[id="${id}"] .red-ui-flow-port-input`).count();
            const wires = () => page.locator(".red-ui-flow-link-line").count();
            assert.deepEqual([await inputs("c1"), await inputs("c2")], [0, 1]);
            const before = await wires();
            for (const [id, choice, count] of [
                ["c1", "flow", 1],
                ["c2", "received", 0],
            ] as const) {
                await editor.dialog.open(id);
                assert.equal(await page.locator("#node-input-timeout").isVisible(), id === "c2");
                await page.locator("#node-input-acknowledge").selectOption(choice);
                assert.equal(await page.locator("#node-input-answer").isVisible(), id === "c1");
                await editor.dialog.done();
                assert.deepEqual([await inputs(id), await editor.property(id, "inputs")], [count, count]);
            }
            assert.ok((await wires()) < before, "the wire back is gone");
        });

        suite.test("keeps the defaults of properties that a flow leaves out when a dialog is saved", async () => {
            const place = { z: "f1", gateway: "g1", x: 300, wires: [[], []] };
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1", disabled: true },
                    { id: "g1", type: "gateway-config", z: "f1", platform: "simulator", orgId: "demo", typeId: "gateway", deviceId: "1" },
                    { id: "e1", type: "device-event-out", ...place, y: 100 },
                    { id: "m1", type: "dm-responder", ...place, y: 200 },
                ],
            });
            for (const id of ["e1", "m1"]) {
                assert.equal(await editor.isValid(id), true, id);
                await editor.dialog.open(id);
                await editor.dialog.fill("node-input-name", "renamed");
                await editor.dialog.done();
            }
            const event = { source: "device", deviceId: "deviceId", deviceIdType: "msg", eventId: "status", eventIdType: "str", qos: "1" };
            const management = { target: "gateway", manage: true, deviceActions: true, firmwareActions: false, respond: "flow" };
            for (const [id, properties] of [["e1", event] as const, ["m1", management] as const]) {
                for (const [property, value] of Object.entries(properties)) {
                    assert.equal(await editor.property(id, property), value, `${id}: ${property}`);
                }
            }
        });

        suite.test("all forms can be used with the keyboard alone", async () => {
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1" },
                    { id: "e1", type: "device-command-in", z: "f1", name: "", gateway: "", x: 300, y: 200, wires: [[]] },
                ],
            });
            const { page } = editor;
            const selected = page.locator("#red-ui-workspace-chart .red-ui-flow-node-selected");
            // The editor may still be loading, and then takes the focus away.
            await waitFor(async () => {
                await page.locator("#red-ui-workspace-chart").focus();
                await page.keyboard.press("Control+a");
                return selected.isVisible();
            }, "the node to be selected");
            await page.keyboard.press("Enter");
            await page.locator("#node-input-name").waitFor();
            await editor.dialog.settled();
            await page.locator("#node-input-name").focus();
            const visited = new Set<string>();
            for (let press = 0; press < 25 && !visited.has("node-input-datatype"); press += 1) {
                visited.add(await page.evaluate(() => document.activeElement?.id ?? ""));
                await page.keyboard.press("Tab");
                visited.add(await page.evaluate(() => document.activeElement?.id ?? ""));
            }
            for (const property of ["gateway", "target", "typeId", "deviceId", "commandId", "format", "qos", "datatype"]) {
                assert.ok(visited.has(`node-input-${property}`), `Tab does not reach ${property}: ${[...visited]}`);
            }
            await page.locator("#node-input-commandId").focus();
            await page.keyboard.type("start");
            await page.keyboard.press("Control+Enter");
            await page.waitForFunction(() => document.querySelectorAll(".red-ui-tray").length === 0);
            assert.equal(await editor.property("e1", "commandId"), "start");
        });

        suite.test("opens the gateway's form, its tabs and its connection test with the keyboard alone", async () => {
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1" },
                    { id: "e1", type: "gateway-notify-in", z: "f1", name: "", gateway: "", x: 300, y: 200, wires: [[]] },
                ],
            });
            const { page } = editor;
            await editor.dialog.open("e1");
            const tabTo = async (selector: string): Promise<void> => {
                for (let press = 0; press < 60; press += 1) {
                    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
                    await page.keyboard.press("Tab");
                }
                assert.fail(`Tab does not reach ${selector}`);
            };
            await page.locator("#node-input-name").focus();
            await tabTo("#node-input-btn-gateway-add");
            await page.keyboard.press("Enter");
            await page.locator("#node-config-input-name").waitFor();
            await editor.dialog.settled();
            await page.locator("#node-config-input-name").focus();
            await tabTo('#gateway-config-tabs a[href="#gateway-config-tab-security"]');
            await page.keyboard.press("Enter");
            await page.locator("#node-config-input-token").waitFor();
            await tabTo("#node-config-input-token");
            await page.keyboard.type(token);
            await page.locator("#node-config-input-name").focus();
            await tabTo('#gateway-config-tabs a[href="#gateway-config-tab-connection"]');
            await page.keyboard.press("Enter");
            await tabTo("#gateway-config-test");
            await page.keyboard.press("Enter");
            await page.locator("#gateway-config-test-report li").filter({ hasText: "The settings are incomplete" }).waitFor();
            await editor.dialog.done("#node-config-dialog-cancel");
            await editor.dialog.done("#node-dialog-cancel");
        });

        suite.test("suggests formats, and keeps the typed text when Tab is pressed", async () => {
            const editor = await suite.open({
                flows: [
                    { id: "f1", type: "tab", label: "Flow 1" },
                    { id: "e1", type: "device-command-in", z: "f1", name: "", gateway: "", x: 300, y: 200, wires: [[]] },
                ],
            });
            await editor.dialog.open("e1");
            await editor.page.locator("#node-input-format").focus();
            await editor.page.keyboard.type("x");
            const menu = editor.page.locator(".red-ui-autoComplete-container");
            await menu.getByText("xml").waitFor();
            await menu.getByText("text").waitFor();
            await editor.page.keyboard.press("Tab");
            assert.equal(await editor.page.locator("#node-input-format").inputValue(), "x");
            await editor.dialog.done("#node-dialog-cancel");
        });
    });
}
