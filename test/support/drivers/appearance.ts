import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Page } from "playwright-core";
import type { EditorPage } from "./editor-page";

/** Text must stand out from its background at least this much, as WCAG AA asks of text of normal size. */
const minContrast = 4.5;

/**
 * What a user would find wrong in the dialog on top, one sentence each: text that cannot be read or is cut off, elements outside of the dialog
 * or on top of each other, controls without a name, and a dialog that has to be scrolled sideways.
 */
export async function dialogFaults(editor: EditorPage): Promise<string[]> {
    return editor.page
        .locator(".red-ui-tray")
        .last()
        .evaluate((tray, contrastWanted) => {
            const faults: string[] = [];
            const body = tray.querySelector<HTMLElement>(".red-ui-tray-body") ?? tray;
            const frame = tray.getBoundingClientRect();
            const nameOf = (element: Element) => element.id || element.textContent?.trim().slice(0, 40) || element.className;

            type Colour = readonly [number, number, number, number];
            const colour = (css: string): Colour => {
                const [red = 0, green = 0, blue = 0, alpha = 1] = (css.match(/[\d.]+/g) ?? []).map(Number);
                return [red, green, blue, alpha];
            };
            const background = (element: Element | null): Colour => {
                if (!element) return [255, 255, 255, 1];
                const own = colour(getComputedStyle(element).backgroundColor);
                return own[3] > 0.5 ? own : background(element.parentElement);
            };
            const luminance = ([red, green, blue]: Colour): number => {
                const linear = (value: number) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
                return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
            };
            const contrast = (a: Colour, b: Colour) => {
                const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((one, other) => one - other);
                return (light + 0.05) / (dark + 0.05);
            };

            const visible = [...body.querySelectorAll<HTMLElement>("*")].filter(
                (element) => element.offsetParent && element.offsetWidth > 0,
            );
            for (const element of visible) {
                const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim());
                // Buttons and tabs have the editor's own colours, some of them pale.
                const isOurs = !element.closest(".red-ui-button, .red-ui-tab");
                if ((hasText && isOurs) || element instanceof HTMLInputElement || element instanceof HTMLSelectElement) {
                    const found = contrast(colour(getComputedStyle(element).color), background(element));
                    if (found < contrastWanted) faults.push(`${nameOf(element)} has a contrast of ${found.toFixed(1)} only`);
                }
                const box = element.getBoundingClientRect();
                if (box.left < frame.left - 1 || box.right > frame.right + 1) faults.push(`${nameOf(element)} sticks out of the dialog`);
                const isCut =
                    element.matches("label, .form-tips, button, .red-ui-tab-label") && element.scrollWidth > element.clientWidth + 1;
                if (isCut && getComputedStyle(element).display !== "inline") faults.push(`${nameOf(element)} is cut off`);
            }
            type Control = HTMLInputElement | HTMLSelectElement | HTMLButtonElement | HTMLAnchorElement;
            for (const control of body.querySelectorAll<Control>(":is(.form-row, ul) :is(input, select, button, a)")) {
                const words = control.matches("input, select") ? "" : control.textContent?.trim();
                const labels = "labels" in control ? (control.labels?.length ?? 0) : 0;
                const isNamed = words || labels > 0 || control.ariaLabel || control.hasAttribute("aria-labelledby");
                if (control.offsetParent && !isNamed) faults.push(`${nameOf(control)} has no name for screen readers`);
            }
            const pen = document.createElement("canvas").getContext("2d");
            const arrowWidth = 20;
            for (const option of body.querySelectorAll<HTMLOptionElement>("option[data-i18n]")) {
                const select = option.closest("select");
                if (!pen || !select?.offsetParent) continue;
                const { font, paddingLeft, paddingRight } = getComputedStyle(select);
                pen.font = font;
                const room = select.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight) - arrowWidth;
                if (pen.measureText(option.text).width > room) faults.push(`${select.id} cuts off: ${option.text}`);
            }
            for (const input of body.querySelectorAll<HTMLInputElement>("input[placeholder]")) {
                if (!pen || !input.offsetParent) continue;
                const { font, paddingLeft, paddingRight } = getComputedStyle(input);
                pen.font = font;
                const room = input.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
                if (pen.measureText(input.placeholder).width > room) faults.push(`${input.id} cuts off: ${input.placeholder}`);
            }
            for (const row of body.querySelectorAll(".form-row")) {
                const parts = [...row.children].filter((child) => child instanceof HTMLElement && child.offsetParent);
                for (const [index, part] of parts.entries()) {
                    const a = part.getBoundingClientRect();
                    for (const other of parts.slice(index + 1)) {
                        const b = other.getBoundingClientRect();
                        const isOnTop = a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
                        if (isOnTop) faults.push(`${nameOf(part)} and ${nameOf(other)} lie on each other`);
                    }
                }
            }
            for (const element of [body, ...body.querySelectorAll<HTMLElement>(".red-ui-editor, form")]) {
                if (element.scrollWidth > element.clientWidth + 1) faults.push(`${nameOf(element)} has to be scrolled sideways`);
            }
            if (document.documentElement.scrollWidth > window.innerWidth) faults.push("the page has to be scrolled sideways");
            return faults;
        }, minContrast);
}

/** How bright a picture is on average: 0 is black, 1 is white. */
async function brightness(page: Page, picture: Buffer): Promise<number> {
    return page.evaluate(async (base64) => {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
        if (!context) throw new Error("this browser cannot draw");
        context.drawImage(bitmap, 0, 0);
        const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
        let sum = 0;
        for (let index = 0; index < data.length; index += 4) sum += (data[index] ?? 0) + (data[index + 1] ?? 0) + (data[index + 2] ?? 0);
        return sum / 3 / 255 / (data.length / 4);
    }, picture.toString("base64"));
}

/**
 * Takes a picture of a part of the page, and keeps it when a document shows it and `npm run pictures` asks for it.
 * @returns how bright it is, from 0 to 1
 */
export async function takePicture(
    editor: EditorPage,
    clip: { x: number; y: number; width: number; height: number },
    name: string,
): Promise<number> {
    const picture = await editor.picture(clip);
    const folder = process.env.PICTURES_FOLDER;
    if (folder && isShown(name)) {
        mkdirSync(folder, { recursive: true });
        writeFileSync(path.join(folder, `${name}.png`), picture);
    }
    return brightness(editor.page, picture);
}

/** Whether the README or a page of the documentation shows a picture. */
function isShown(name: string): boolean {
    const pages = readdirSync("docs").filter((file) => file.endsWith(".md"));
    return ["README.md", ...pages.map((page) => path.join("docs", page))].some((page) =>
        readFileSync(page, "utf8").includes(`/${name}.png`),
    );
}

/** Takes a picture of the dialog on top, from its title to its last field; see `takePicture`. */
export async function pictureOfDialog(editor: EditorPage, name: string): Promise<number> {
    const clip = await editor.page
        .locator(".red-ui-tray")
        .last()
        .evaluate((tray) => {
            const { x, y, width } = tray.getBoundingClientRect();
            const parts = [...tray.querySelectorAll<HTMLElement>(".form-row, .form-tips")].filter((part) => part.offsetParent);
            const bottom = Math.max(...parts.map((part) => part.getBoundingClientRect().bottom));
            return { x, y, width, height: Math.min(bottom + 20, window.innerHeight) - y };
        });
    return takePicture(editor, clip, name);
}
