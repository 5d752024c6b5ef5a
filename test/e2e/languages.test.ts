import assert from "node:assert/strict";
import { dialogFaults } from "../support/drivers/appearance";
import { languages, readCatalogue, readPanelCatalogue, registeredTypes } from "../support/drivers/editor-forms";
import type { EditorPage } from "../support/drivers/editor-page";
import { EditorSuite, sharedServer } from "../support/drivers/editor-suite";
import { nodeRedModules } from "../support/drivers/node-red-process";
import { deployPanelFlow } from "../support/drivers/panel-flow";
import { PanelPage } from "../support/drivers/panel-page";

/** A node of each type, in the flow that the editor shows first. */
const forms = [
    { id: "forms", type: "tab", label: "Flow 1", disabled: true },
    { id: "gateway-config", type: "gateway-config", z: "forms", platform: "simulator", orgId: "demo", typeId: "gateway", deviceId: "1" },
    ...registeredTypes.slice(1).map((type, index) => {
        return { id: type, type, z: "forms", name: "", gateway: "gateway-config", x: 300, y: 100 + 80 * index, wires: [[], []] };
    }),
];

for (const [version, module] of Object.entries(nodeRedModules)) {
    const isNewest = module === "node-red";

    describe(`the languages in ${version}`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(() => sharedServer(module));

        before(async () => {
            await deployPanelFlow(suite.nodeRed, forms);
        });

        /** Looks at each tab of the gateway that the open dialog has chosen. */
        async function lookAtGateway(editor: EditorPage, language: string): Promise<void> {
            const { page } = editor;
            await page.locator("#node-input-btn-gateway-edit").click();
            await page.locator("#node-config-input-platform").waitFor();
            await editor.dialog.settled();
            const texts = readCatalogue(language, "gateway-config");
            for (const tab of ["connection", "security", "outbox", "advanced"]) {
                await editor.dialog.gatewayTab(tab);
                const name = page.locator(`#gateway-config-tabs a[href="#gateway-config-tab-${tab}"]`);
                assert.equal((await name.textContent())?.trim(), texts.get(`gateway-config.tab.${tab}`));
                const dialog = (await page.locator(".red-ui-tray").last().textContent()) ?? "";
                assert.doesNotMatch(dialog, /gateway-config\.\w/, "a raw key is shown");
                assert.deepEqual(await dialogFaults(editor), [], tab);
            }
            await editor.dialog.done("#node-config-dialog-cancel");
        }

        // A catalogue is the same in each version: how the older one takes it shows in the longest words.
        for (const language of isNewest ? languages : ["de"]) {
            suite.test(`palette, forms and help are shown in ${language}`, async () => {
                const editor = await suite.open({ language });
                const { page } = editor;
                for (const type of registeredTypes) {
                    const help = await editor.helpOf(type);
                    assert.ok(help.length > 200, `${type} has no help`);
                    if (type === "gateway-config") continue;
                    const text = (key: string): string => readCatalogue(language, type).get(`${type}.${key}`) ?? "";
                    const palette = page.locator(`.red-ui-palette-node[data-palette-type="${type}"] .red-ui-palette-label`);
                    // The palette cuts words that are too long, and puts a blank before a hyphen.
                    const words = (await palette.innerText()).split(/\s+/).filter((word) => word !== "");
                    assert.deepEqual(words, text("label.palette").split(" "));
                    await editor.dialog.open(type);
                    const dialog = (await page.locator(".red-ui-tray").last().textContent()) ?? "";
                    assert.ok(dialog.includes(text("label.gateway")), `${type}: ${dialog}`);
                    assert.doesNotMatch(dialog, new RegExp(`${type}\\.\\w`), "a raw key is shown");
                    assert.deepEqual(await dialogFaults(editor), [], type);
                    if (type === "dm-responder" && isNewest) await lookAtGateway(editor, language);
                    await editor.dialog.done("#node-dialog-cancel");
                }
            });

            suite.test(`the panel is shown in ${language}`, async () => {
                const panel = await PanelPage.open(await suite.open({ language }));
                const catalogue = readPanelCatalogue(language);
                await panel.phase(catalogue.get("gateway-panel.phase.online") ?? "");
                const text = (await panel.content.textContent()) ?? "";
                for (const key of ["devices", "notifications", "requests", "simulator", "action.reconnect", "fact.lost", "chart.waiting"])
                    assert.ok(text.includes(catalogue.get(`gateway-panel.${key}`) ?? "?"), `${key}: ${text}`);
                assert.doesNotMatch(text, /gateway-panel\.|__\w+__/, "a raw key or parameter is shown");
            });
        }
    });
}
