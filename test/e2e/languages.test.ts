import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { dialogFaults } from "../support/appearance";
import { languages, readCatalogue, registeredTypes } from "../support/editor-forms";
import { EditorPage, launchBrowser } from "../support/editor-page";
import { NodeRedProcess, nodeRedModules } from "../support/node-red-process";

const flow = [
    { id: "f1", type: "tab", label: "Flow 1", disabled: true },
    { id: "gateway-config", type: "gateway-config", z: "f1", platform: "simulator", orgId: "demo", typeId: "gateway", deviceId: "1" },
    ...registeredTypes.slice(1).map((type, index) => {
        return { id: type, type, z: "f1", name: "", gateway: "gateway-config", x: 300, y: 100 + 80 * index, wires: [[], []] };
    }),
];

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`the languages in ${version}`, function () {
        this.timeout(120_000);
        let browser: Browser;
        let nodeRed: NodeRedProcess;

        before(async () => {
            [browser, nodeRed] = await Promise.all([launchBrowser(), NodeRedProcess.start(module)]);
            await nodeRed.deploy(flow);
        });
        after(async () => {
            await browser?.close();
            await nodeRed?.stop();
        });

        /** Looks at each tab of the gateway that the open dialog has chosen. */
        async function lookAtGateway(editor: EditorPage, language: string): Promise<void> {
            const { page } = editor;
            await page.locator("#node-input-btn-gateway-edit").click();
            await page.locator("#node-config-input-platform").waitFor();
            await editor.settled();
            const texts = readCatalogue(language, "gateway-config");
            for (const tab of ["connection", "security", "outbox", "advanced"]) {
                await page
                    .locator("#gateway-config-tabs a")
                    .filter({ hasText: texts.get(`gateway-config.tab.${tab}`) ?? "" })
                    .click();
                await page.locator(`#gateway-config-tab-${tab}`).waitFor();
                const dialog = (await page.locator(".red-ui-tray").last().textContent()) ?? "";
                assert.doesNotMatch(dialog, /gateway-config\.\w/, "a raw key is shown");
                assert.deepEqual(await dialogFaults(editor), [], tab);
            }
            await editor.done("#node-config-dialog-cancel");
        }

        for (const language of languages) {
            it(`${language}: palette, forms and help`, async () => {
                const editor = await EditorPage.open(browser, nodeRed, { language });
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
                    await editor.openDialog(type);
                    const dialog = (await page.locator(".red-ui-tray").last().textContent()) ?? "";
                    assert.ok(dialog.includes(text("label.gateway")), `${type}: ${dialog}`);
                    assert.doesNotMatch(dialog, new RegExp(`${type}\\.\\w`), "a raw key is shown");
                    assert.deepEqual(await dialogFaults(editor), [], type);
                    if (type === "dm-responder" && module === "node-red") await lookAtGateway(editor, language);
                    await editor.done("#node-dialog-cancel");
                }
                await editor.close();
            });
        }
    });
}
