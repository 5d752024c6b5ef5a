import type { Locator, Page } from "playwright-core";
import { waitFor } from "../wait-for";

/** The dialogs of the Node-RED editor, used as a user would. */
export class EditorDialog {
    readonly #page: Page;
    readonly #beforeSaving: () => Promise<void>;

    /** @param beforeSaving a check of the page before each dialog is saved */
    constructor(page: Page, beforeSaving: () => Promise<void>) {
        this.#page = page;
        this.#beforeSaving = beforeSaving;
    }

    /** Opens the dialog of a node and waits until its animation has ended. */
    async open(id: string): Promise<void> {
        // Two clicks that a busy machine takes far apart are no double click.
        await waitFor(async () => {
            await nodeIn(this.#page, id).dblclick();
            return appears(this.#page.locator(".red-ui-tray").first());
        }, `the dialog of ${id}`);
        await this.settled();
    }

    /** Waits until the dialog on top, which slides in from the right, is where it belongs. */
    async settled(): Promise<void> {
        await this.#page.waitForFunction(() => {
            const tray = [...document.querySelectorAll<HTMLElement>(".red-ui-tray")].at(-1);
            return tray?.style.right === "0px" && tray.getAnimations().length === 0;
        });
    }

    /** Fills a text input of the dialog; a TypedInput is filled through its visible part. */
    async fill(id: string, value: string): Promise<void> {
        const input = this.#page.locator(`#${id}`);
        const typed = this.#page.locator(`#${id} + .red-ui-typedInput-container input.red-ui-typedInput-input`);
        await ((await input.isVisible()) ? input : typed).fill(value);
        await this.#page.keyboard.press("Tab");
    }

    /** Chooses the type of a TypedInput by the name its menu shows. */
    async chooseType(id: string, name: string): Promise<void> {
        await this.#page.locator(`#${id} + .red-ui-typedInput-container .red-ui-typedInput-type-select`).click();
        await this.#page.locator(".red-ui-typedInput-options:visible a").filter({ hasText: name }).click();
    }

    /** Whether an input of the dialog is marked as not valid. */
    async isMarked(id: string): Promise<boolean> {
        return /\binput-error\b/.test((await this.#page.locator(`#${id}`).getAttribute("class")) ?? "");
    }

    /** Shows a tab of the gateway's form. Node-RED 4.1 takes clicks on two tabs within 400 ms for a double click, and ignores it. */
    async gatewayTab(tab: string): Promise<void> {
        const pane = this.#page.locator(`#gateway-config-tab-${tab}`);
        await waitFor(async () => {
            if (await pane.isVisible()) return true;
            await this.#page.locator(`#gateway-config-tabs a[href="#gateway-config-tab-${tab}"]`).click();
            return pane.isVisible();
        }, `the tab ${tab}`);
    }

    /** Saves the node dialog on top and waits until it is gone; fails when it shows a token that was typed. */
    async done(button = "#node-dialog-ok"): Promise<void> {
        await this.#beforeSaving();
        const tray = await this.#page.locator(".red-ui-tray").last().elementHandle();
        await this.#page.locator(button).click();
        await this.#page.waitForFunction((dialog) => !dialog?.isConnected, tray);
    }
}

/** The shape of a node in the workspace. */
export function nodeIn(page: Page, id: string): Locator {
    return page.locator(`#red-ui-workspace-chart [id="${id}"]`);
}

/** Whether something becomes visible within five seconds. */
export async function appears(locator: Locator): Promise<boolean> {
    return locator.waitFor({ timeout: 5_000 }).then(
        () => true,
        () => false,
    );
}
