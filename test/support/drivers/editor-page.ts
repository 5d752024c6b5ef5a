import assert from "node:assert/strict";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { assertNoSecrets } from "../secrets";
import { waitFor } from "../wait-for";
import { appears, EditorDialog, nodeIn } from "./editor-dialog";
import type { NodeRedProcess } from "./node-red-process";

/** A node as the editor holds it. */
interface EditorNode {
    readonly id: string;
    readonly type: string;
    readonly [property: string]: unknown;
}

// What the functions that run in the page use of the editor.
declare const RED: {
    readonly actions: { invoke(name: string, argument?: string): void };
    readonly workspaces: { active(): string; show(id: string): void };
    readonly nodes: {
        node(id: string): EditorNode | null;
        eachNode(visit: (node: EditorNode) => void): void;
        eachConfig(visit: (node: EditorNode) => void): void;
        getNodeHelp(type: string): string | undefined;
        getWorkspaceOrder(): string[];
        clear(): void;
        version(revision: string | null): void;
        import(flows: object[]): void;
        dirty(isDirty?: boolean): boolean;
    };
    readonly history: { clear(): void };
    readonly view: { redraw(isFull: boolean): void };
    readonly sidebar: { readonly info: { refresh(): void } };
    readonly events: { emit(name: string): void };
    readonly comms: Record<"subscribe" | "unsubscribe", (topic: string, listener: () => void) => void>;
};
declare const $: (html: string) => { html(content: string): { text(): string } };

/** How a page of the editor is opened. */
export interface EditorOptions {
    readonly language?: string;
    readonly theme?: "light" | "dark";
    /** Of a user who has logged in. */
    readonly accessToken?: string;
}

/** The Node-RED editor in a browser, driven as a user would. Collects everything the browser complains about. */
export class EditorPage {
    /** Page errors, console errors, failed answers and requests to other machines. */
    readonly complaints: string[] = [];
    /** Bodies of everything the server sent, to look for secrets. */
    readonly received: string[] = [];

    /** The dialog of a node. */
    readonly dialog: EditorDialog;

    private constructor(
        readonly page: Page,
        private readonly context: BrowserContext,
    ) {
        this.dialog = new EditorDialog(page, () => this.assertNoSecretShown());
    }

    /** Opens the editor and waits until it is ready. */
    static async open(browser: Browser, nodeRed: NodeRedProcess, options: EditorOptions = {}): Promise<EditorPage> {
        const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
        await context.addInitScript(
            ([language, theme, accessToken]) => {
                localStorage.setItem("editor-language", language ?? "en-US");
                localStorage.setItem("view-dark-theme", theme ?? "light");
                if (accessToken) localStorage.setItem("auth-tokens", JSON.stringify({ access_token: accessToken }));
            },
            [options.language, options.theme, options.accessToken],
        );
        const page = await context.newPage();
        page.setDefaultTimeout(60_000);
        const editor = new EditorPage(page, context);
        editor.#listen(nodeRed.url);
        await page.goto(nodeRed.url);
        await page.locator("#red-ui-loading-progress").waitFor({ state: "hidden" });
        await page.locator('.red-ui-palette-node[data-palette-type="device-event-out"]').waitFor({ state: "attached" });
        return editor;
    }

    #listen(origin: string): void {
        this.page.on("pageerror", (error) => {
            if (!isTipTooEarly(error)) this.complaints.push(`page error: ${error.stack ?? error.message}`);
        });
        this.page.on("console", (message) => {
            if (message.type() === "error") this.complaints.push(`console: ${message.text()} (${message.location().url})`);
        });
        this.page.on("request", (request) => {
            if (!request.url().startsWith(origin) && !/^(data|blob):/.test(request.url())) {
                this.complaints.push(`request to another machine: ${request.url()}`);
            }
        });
        this.page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => this.received.push(payload.toString())));
        this.page.on("response", (response) => {
            if (response.status() >= 400) this.complaints.push(`${response.status()}: ${response.url()}`);
            if (!/json|text\/html/.test(response.headers()["content-type"] ?? "")) return;
            response.text().then(
                (body) => this.received.push(body),
                // A body that the page no longer holds, for example after it was left.
                () => undefined,
            );
        });
    }

    /**
     * Deploys flows behind the back of the page and shows them, as the editor does when it changes to another project; that takes a
     * fraction of the time of loading the page again.
     */
    async show(nodeRed: NodeRedProcess, flows: readonly object[]): Promise<void> {
        // Without a revision the editor does not ask what to do about flows that somebody else deployed.
        await this.page.evaluate(() => RED.nodes.version(null));
        await nodeRed.deploy(flows);
        await this.page.evaluate(async () => {
            const response = await fetch("flows", { headers: { "Node-RED-API-Version": "v2" } });
            const { flows, rev }: { flows: object[]; rev: string } = await response.json();
            RED.nodes.clear();
            RED.history.clear();
            RED.actions.invoke("core:clear-debug-messages");
            RED.nodes.version(rev);
            RED.nodes.import(flows);
            RED.nodes.dirty(false);
            RED.view.redraw(true);
            RED.workspaces.show(RED.nodes.getWorkspaceOrder()[0] ?? "");
            RED.events.emit("flows:loaded");
            RED.sidebar.info.refresh();
            // A new subscriber gets all statuses, even those that came before their nodes.
            const listener = () => undefined;
            RED.comms.subscribe("status/#", listener);
            RED.comms.unsubscribe("status/#", listener);
        });
    }

    /** Whether nothing lies on top of the workspace: no dialog, and no question. */
    async isClear(): Promise<boolean> {
        return (await this.page.locator(".red-ui-tray, .ui-dialog:visible, .red-ui-notification button:visible").count()) === 0;
    }

    /** Drags a node from the palette to the workspace; returns its id. */
    async drag(type: string, position: { x: number; y: number }): Promise<string> {
        const before = await this.nodeIds(type);
        const entry = this.page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`);
        await entry.scrollIntoViewIfNeeded();
        await entry.dragTo(this.page.locator("#red-ui-workspace-chart"), { targetPosition: position });
        const added = (await this.nodeIds(type)).filter((id) => !before.includes(id));
        assert.equal(added.length, 1, `dragging ${type} added ${added.length} nodes`);
        return added[0] ?? "";
    }

    /** The ids of the nodes of a type in the workspace, or of the config nodes of that type. */
    nodeIds(type: string): Promise<string[]> {
        return this.page.evaluate((wanted) => {
            const ids: string[] = [];
            const collect = (node: { id: string; type: string }) => {
                if (node.type === wanted) ids.push(node.id);
            };
            RED.nodes.eachNode(collect);
            RED.nodes.eachConfig(collect);
            return ids;
        }, type);
    }

    /** What the editor holds of a node: some property, or what it says of its validity. */
    property(id: string, name: string): Promise<unknown> {
        return this.page.evaluate(({ node, property }) => RED.nodes.node(node)?.[property], { node: id, property: name });
    }

    /** Changes a property of a node in the editor, as a dialog does; it is not deployed. */
    async change(id: string, name: string, value: unknown): Promise<void> {
        await this.page.evaluate(
            (change) => {
                const node = RED.nodes.node(change.id);
                if (node) Object.assign(node, { [change.name]: change.value });
            },
            { id, name, value },
        );
    }

    /** Whether the editor finds a node valid; it looks at a node when it is first drawn. */
    async isValid(id: string): Promise<unknown> {
        await waitFor(async () => (await this.property(id, "valid")) !== undefined, `the editor to look at ${id}`);
        return this.property(id, "valid");
    }

    /** The shape of a node in the workspace. */
    node(id: string): Locator {
        return nodeIn(this.page, id);
    }

    /** The help of a node type, as text. */
    helpOf(type: string): Promise<string> {
        return this.page.evaluate(
            (name) =>
                $("<div>")
                    .html(RED.nodes.getNodeHelp(name) ?? "")
                    .text(),
            type,
        );
    }

    /** Deploys and waits until the editor has taken the server's answer: what is changed before that counts as deployed. */
    async deploy(): Promise<void> {
        const answer = this.page.waitForResponse((response) => response.url().endsWith("/flows") && response.request().method() === "POST");
        await this.page.locator("#red-ui-header-button-deploy").click();
        assert.equal((await answer).status(), 200);
        await this.page.waitForFunction(() => !RED.nodes.dirty());
    }

    /** Waits until the status below a node shows a text that matches. */
    async statusOf(id: string, wanted: RegExp): Promise<void> {
        const status = this.node(id).locator(".red-ui-flow-node-status-label");
        await status.filter({ hasText: wanted }).waitFor();
    }

    /** What the status below a node says at the moment; nothing when it has none. */
    async statusText(id: string): Promise<string> {
        const label = this.node(id).locator(".red-ui-flow-node-status-label");
        return (await label.count()) === 0 ? "" : ((await label.first().textContent()) ?? "");
    }

    /** Clicks the button of an inject node and waits until the server took it. */
    async press(id: string): Promise<void> {
        const answer = this.page.waitForResponse((response) => response.url().endsWith(`/inject/${id}`));
        await this.node(id).locator(".red-ui-flow-node-button-button").click();
        assert.equal((await answer).status(), 200);
    }

    /** Shows a flow once it is there. A click on its tab is lost when the tab moves while the button is down, as it does after an import. */
    async showFlow(id: string): Promise<void> {
        await this.page.waitForFunction((flow) => {
            RED.workspaces.show(flow);
            return RED.workspaces.active() === flow;
        }, id);
    }

    /** Enables a flow, as the entry of its tab's menu does. */
    async enableFlow(id: string): Promise<void> {
        await this.page.evaluate((flow) => RED.actions.invoke("core:enable-flow", flow), id);
    }

    /** Imports an example of this package through the menu; its flow is not shown by that. */
    async importExample(name: string): Promise<void> {
        await this.page.evaluate(() => RED.actions.invoke("core:show-examples-import-dialog"));
        const dialog = this.page.locator("#red-ui-clipboard-dialog-import-tab-examples");
        await dialog.waitFor();
        const entry = (text: string) => dialog.locator(".red-ui-treeList-label").filter({ hasText: text }).first();
        // A click that comes while the list is being filled opens nothing, or closes it again.
        await waitFor(async () => {
            if (await entry(name).isVisible()) return true;
            await entry("node-red-contrib-wiotp-gateway").click();
            return appears(entry(name));
        }, `the example ${name} in the menu`);
        await waitFor(async () => {
            await entry(name).click();
            return appears(this.page.locator("#red-ui-clipboard-dialog-ok:enabled"));
        }, `the example ${name} to be chosen`);
        await this.page.locator("#red-ui-clipboard-dialog-ok").click();
        await this.page.locator("#red-ui-clipboard-dialog").waitFor({ state: "hidden" });
    }

    /** A picture of the page, or of a part of it, as PNG; fails when it would show a token of the tests. */
    async picture(
        of: Locator | { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
    ): Promise<Buffer> {
        await this.assertNoSecretShown();
        const options = { animations: "disabled", caret: "hide" } as const;
        return "screenshot" in of ? of.screenshot(options) : this.page.screenshot({ clip: of, ...options });
    }

    /**
     * Fails when a token of the tests is in the page: in its text, or in a field that does not hide what is typed. What a picture shows
     * comes from there, so nobody has to read pictures.
     */
    async assertNoSecretShown(): Promise<void> {
        const fields = await this.page.locator("input:not([type=password]), textarea, select").evaluateAll((elements) =>
            // Of the three kinds each has a value.
            elements.map((element) => `${element.id}: ${"value" in element ? String(element.value) : ""}`),
        );
        assertNoSecrets([["the page", await this.page.content()], ...fields.map((field) => ["a field of the page", field] as const)]);
    }

    /** Fails when the browser complained about anything, or got or shows a token of the tests, since the last time. */
    async check(): Promise<void> {
        const complaints = this.complaints.splice(0);
        await this.assertNoSecretShown();
        assertNoSecrets(this.received.splice(0).map((body) => ["what the editor received", body] as const));
        assert.deepEqual(complaints, []);
    }

    /** Ends the page. */
    async close(): Promise<void> {
        await this.context.close();
    }
}

/** The editor shows its first tip a second after its settings are there, and fails on a busy machine, where its sidebar is not. */
function isTipTooEarly({ message, stack = "" }: Error): boolean {
    return (
        message.includes("reading 'html'") && stack.split("\n").every((line) => !line.includes(" at ") || line.includes("/red/red.min.js"))
    );
}
