import { type Browser, chromium } from "playwright-core";
import { type EditorOptions, EditorPage } from "./editor-page";
import { NodeRedProcess, type nodeRedModules } from "./node-red-process";

type Module = (typeof nodeRedModules)[keyof typeof nodeRedModules];

/** A Node-RED for the browser tests of a suite. */
export interface EditorServer {
    readonly nodeRed: NodeRedProcess;
    /** Called after the last test of the suite. */
    stop(): Promise<void>;
}

// The browser and the Node-RED of each version take long to start: they are started once, and end with the last test of the process.
let browser: Browser | undefined;
const started: NodeRedProcess[] = [];
const shared = new Map<Module, NodeRedProcess>();

after("the browser and Node-RED end", async () => {
    const ends = await Promise.allSettled([browser?.close(), ...started.map((nodeRed) => nodeRed.stop())]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
});

/** The browser of all tests; it reaches nothing but this machine. */
async function sharedBrowser(): Promise<Browser> {
    if (browser?.isConnected()) return browser;
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
        args: [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    });
    return browser;
}

/** A Node-RED that all suites use, one after the other; each leaves it without flows. */
export async function sharedServer(module: Module): Promise<EditorServer> {
    let nodeRed = shared.get(module);
    if (!nodeRed?.isRunning) {
        nodeRed = await NodeRedProcess.start(module);
        started.push(nodeRed);
        shared.set(module, nodeRed);
    }
    const server = nodeRed;
    return {
        nodeRed: server,
        async stop() {
            await server.checkSecrets();
            if (!server.isRunning) return;
            await server.deploy([]);
            // Node-RED 5 remembers which part of the sidebar was open; a new user has no such settings.
            const headers = { "content-type": "application/json" };
            await server.ask("settings/user", { method: "POST", headers, body: '{"editor":null}' });
        },
    };
}

/**
 * What the browser tests of one `describe` share: a Node-RED, and a page of its editor, because a page takes longer to load than most
 * tests to run. After a test that fails, or leaves something open, the next one gets a new page.
 */
export class EditorSuite<Server extends EditorServer = EditorServer> {
    #server: Server | undefined;
    #kept: { readonly page: EditorPage; readonly options: string } | undefined;
    readonly #others: EditorPage[] = [];

    constructor(start: () => Promise<Server>) {
        before(async () => {
            this.#server = await start();
        });
        afterEach(async () => {
            for (const page of this.#others.splice(0)) await page.close();
        });
        after(async () => {
            await this.#drop();
            await this.#server?.stop();
        });
        const drop = () => this.#drop();
        // The body of a test that ran out of time is still going on: it keeps its page, and finds it closed.
        afterEach(async function () {
            if (this.currentTest?.state === "failed") await drop();
        });
    }

    get server(): Server {
        if (!this.#server) throw new Error("Node-RED runs only during tests");
        return this.#server;
    }

    get nodeRed(): NodeRedProcess {
        return this.server.nodeRed;
    }

    /** Defines a test; it fails as well when the browser complained about anything, or got a token of the tests. */
    test(title: string, body: () => Promise<void>): void {
        it(title, async () => {
            try {
                await body();
            } catch (thrown) {
                const complaints = [this.#kept?.page, ...this.#others].flatMap((page) => page?.complaints ?? []);
                if (thrown instanceof Error && complaints.length > 0) thrown.message += `\nThe browser says:\n${complaints.join("\n")}`;
                throw thrown;
            }
            for (const page of [this.#kept?.page, ...this.#others]) await page?.check();
        });
    }

    /** The page of the suite, new where the one that is there is opened in another way or not clear; with these flows, if any are given. */
    async open({ flows, ...options }: EditorOptions & { readonly flows?: readonly object[] } = {}): Promise<EditorPage> {
        const wanted = JSON.stringify(options);
        if (this.#kept && (this.#kept.options !== wanted || !(await this.#kept.page.isClear()))) await this.#drop();
        if (this.#kept && flows) await this.#kept.page.show(this.nodeRed, flows);
        if (this.#kept) return this.#kept.page;
        if (flows) await this.nodeRed.deploy(flows);
        const page = await EditorPage.open(await sharedBrowser(), this.nodeRed, options);
        this.#kept = { page, options: wanted };
        return page;
    }

    /** A page besides that of the suite, for this test alone. */
    async openAnother(options: EditorOptions = {}): Promise<EditorPage> {
        const page = await EditorPage.open(await sharedBrowser(), this.nodeRed, options);
        this.#others.push(page);
        return page;
    }

    async #drop(): Promise<void> {
        const kept = this.#kept;
        this.#kept = undefined;
        await kept?.page.close();
    }
}
