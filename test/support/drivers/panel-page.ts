import type { Locator, Page } from "playwright-core";
import { waitFor } from "../wait-for";
import type { EditorPage } from "./editor-page";

// What the functions that run in the page use of the editor.
declare const RED: {
    readonly actions: { invoke(name: string): void; get(name: string): unknown };
};

/** The panel in the editor's sidebar, used as an operator would. */
export class PanelPage {
    readonly content: Locator;

    private constructor(readonly page: Page) {
        this.content = page.locator(".wiotp-panel");
    }

    /** Opens the panel and waits until it shows a gateway, or says why it does not. */
    static async open(editor: EditorPage): Promise<PanelPage> {
        const panel = new PanelPage(editor.page);
        const words = panel.content.locator(".wiotp-panel-connection strong:not(:empty), .wiotp-panel-message:not(:empty)").first();
        // The editor restores the tab that was open last when it has loaded, which may take it away again.
        await editor.page.waitForFunction(() => RED.actions.get("wiotp-gateway:show-panel"));
        await waitFor(async () => {
            if (!(await panel.content.isVisible())) await panel.#toFront();
            return words.isVisible();
        }, "the panel");
        return panel;
    }

    /** Brings the panel to the front of the sidebar. */
    async show(): Promise<void> {
        await this.#toFront();
        await this.content.waitFor();
    }

    async #toFront(): Promise<void> {
        await this.page.evaluate(() => RED.actions.invoke("wiotp-gateway:show-panel"));
    }

    /** Waits until the connection is shown in these words. */
    async phase(words: string | RegExp): Promise<void> {
        await this.content.locator(".wiotp-panel-connection strong").filter({ hasText: words }).waitFor();
    }

    /** Waits until a sentence in place of a gateway is shown. */
    async says(words: string | RegExp): Promise<void> {
        await this.content.locator(".wiotp-panel-message").filter({ hasText: words }).waitFor();
    }

    /** Chooses a gateway and waits until the one with this device id is shown. */
    async choose(label: string, deviceId: string): Promise<void> {
        await this.#gateways.selectOption({ label });
        await this.content.locator(".wiotp-panel-server").filter({ hasText: deviceId }).waitFor();
    }

    /** A gateway that can be chosen. */
    choice(label: string): Locator {
        return this.#gateways.locator("option").filter({ hasText: label });
    }

    /** The gateways that can be chosen. */
    choices(): Promise<string[]> {
        return this.#gateways.locator("option").allTextContents();
    }

    /** The node id of the gateway that is chosen; empty when none of those listed is. */
    chosen(): Promise<string> {
        return this.#gateways.inputValue();
    }

    /** The client id and the server that are shown. */
    async server(): Promise<string> {
        return (await this.content.locator(".wiotp-panel-server").textContent()) ?? "";
    }

    get #gateways(): Locator {
        return this.content.locator(".wiotp-panel-gateways");
    }

    /** The number of a fact, such as `waiting`. */
    fact(key: string): Locator {
        return this.content.locator(`[data-fact="${key}"] dd`);
    }

    /** The row of a device, by `typeId/deviceId`. */
    device(key: string): Locator {
        return this.content.locator(".wiotp-panel-device").filter({ has: this.page.getByText(key, { exact: true }) });
    }

    /** An entry of a list (`notifications` or `requests`) that holds all of these words. */
    entry(list: string, ...words: readonly (string | RegExp)[]): Locator {
        let found = this.content.locator(`.wiotp-panel-${list} .wiotp-panel-entry`);
        for (const each of words) found = found.filter({ hasText: each });
        return found.first();
    }

    /** Lists only the devices that match. */
    async find(text: string, filter = ""): Promise<void> {
        await this.content.locator(".wiotp-panel-devices select").selectOption(filter);
        await this.content.locator('.wiotp-panel-devices input[type="search"]').fill(text);
    }

    /** Presses one of the platform's buttons for a device. */
    async platform(action: string, typeId: string, deviceId: string): Promise<void> {
        const part = this.content.locator(".wiotp-panel-simulator");
        await part.locator('[data-field="typeId"]').fill(typeId);
        await part.locator('[data-field="deviceId"]').fill(deviceId);
        await part.locator(`[data-action="${action}"]`).click();
    }

    /** Presses a button of the panel, or of a part of it, and confirms. */
    async confirmed(action: string, within: Locator = this.content): Promise<void> {
        const button = within.locator(`[data-action="${action}"]`);
        const label = (await button.textContent()) ?? "";
        await button.click();
        // An earlier question may still be fading.
        await this.page
            .locator(".red-ui-notification button.primary")
            .filter({ hasText: new RegExp(`^${label}$`) })
            .last()
            .click();
    }

    /** Waits until the editor shows the outcome of an action. */
    async reported(words: string | RegExp): Promise<void> {
        await this.page.locator(".red-ui-notification").filter({ hasText: words }).first().waitFor();
    }
}
