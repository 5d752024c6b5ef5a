import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { close } from "../support/doubles/broker-script";
import { ListeningBroker } from "../support/doubles/listening-broker";
import type { EditorPage } from "../support/drivers/editor-page";
import { EditorSuite, sharedServer } from "../support/drivers/editor-suite";
import { nodeRedModules } from "../support/drivers/node-red-process";
import { deployPanelFlow, inject } from "../support/drivers/panel-flow";
import { PanelPage } from "../support/drivers/panel-page";

/** A gateway on a broker of one's own, and an event of `pump/bad` when `i5` is injected. */
function brokerFlow(port: number): object[] {
    const gateway = { platform: "broker", host: "127.0.0.1", port: String(port), transport: "tcp", orgId: "demo", typeId: "gateway" };
    const event = { typeId: "pump", typeIdType: "str", deviceId: "bad", deviceIdType: "str", eventId: "status", eventIdType: "str" };
    return [
        { id: "g5", type: "gateway-config", name: "Own broker", deviceId: "hall-5", outbox: "memory", ...gateway },
        { id: "i5", type: "inject", z: "f1", props: [{ p: "payload" }], payload: "1", payloadType: "num", x: 120, y: 300, wires: [["e5"]] },
        { id: "e5", type: "device-event-out", z: "f1", gateway: "g5", ...event, x: 500, y: 300, wires: [] },
    ];
}

/** Neither markup nor the marks of a catalogue mean anything in what a device or the platform says. */
const hostile = '<img src=x onerror="globalThis.hacked=true">__device__ $t(gateway-panel.title) $&';

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`the panel in ${version}`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(() => sharedServer(module));
        // What is slow to prepare, and has nothing of its own in another version.
        const isNewest = module === nodeRedModules["Node-RED 5"];
        let port: number;
        let broker: ListeningBroker;
        /** Ends the dislike of the broker for an event. */
        let pardon: () => void;

        before(async () => {
            broker = await ListeningBroker.start();
            pardon = broker.script.add({ cmd: "publish", topic: "iot-2/type/pump/id/bad/evt/status/fmt/json", reaction: close });
            port = await deployPanelFlow(suite.nodeRed, brokerFlow(broker.port));
        });

        after(() => broker.stop());

        /** The panel in the page of the suite, or in one that is for this test alone. */
        async function open(page: Promise<EditorPage> = suite.open()): Promise<{ editor: EditorPage; panel: PanelPage }> {
            const editor = await page;
            return { editor, panel: await PanelPage.open(editor) };
        }

        suite.test("shows a hold, a link fault and a firmware request as they happen, in two browsers", async () => {
            const { panel } = await open();
            const other = (await open(suite.openAnother({ theme: "dark" }))).panel;
            await Promise.all([panel, other].map((each) => each.phase("connected")));
            await panel.device("pump/p1").filter({ hasText: "registered" }).waitFor();
            await panel.fact("outgoing").filter({ hasText: "/s" }).waitFor();

            await panel.platform("refuse", "pump", "bad");
            await panel.reported("does not allow the device");
            await inject(suite.nodeRed, "i2");
            const held = panel.device("pump/bad");
            await held.filter({ hasText: "refused to register it · RC 180" }).waitFor();
            await other.entry("notifications", "pump/bad", "RC 180").waitFor();
            await panel.platform("none", "pump", "bad");
            await panel.reported("accepts the device again");
            await held.locator(".wiotp-panel-device-head").click();
            await panel.confirmed("release", held);
            await panel.reported("The hold has ended");
            await held.filter({ hasText: "registered" }).waitFor();

            await panel.content.locator('[data-action="cutLine"]').click();
            await Promise.all([panel, other].map((each) => each.phase("not connected")));
            assert.match((await other.content.locator(".wiotp-panel-reason").first().textContent()) ?? "", /127\.0\.0\.1/);
            await other
                .fact("waiting")
                .filter({ hasText: /^[1-9]/ })
                .waitFor();
            await panel.content.locator('[data-action="cutLine"]').filter({ hasText: "Restore the link" }).click();
            await panel.reported("The link is restored");
            await panel.confirmed("reconnect");
            await Promise.all([panel, other].map((each) => each.phase(/^connected$/)));

            await panel.platform("download", "gateway", "hall-4");
            await other.entry("requests", "gateway/hall-4 firmware/download", "answered 202").waitFor();
            await panel.content.locator(".wiotp-panel-simulator").filter({ hasText: "firmware/download · in progress" }).waitFor();
        });

        suite.test("pauses, resumes, disconnects and connects the gateway, and offers what can be done next", async () => {
            const { editor, panel } = await open();
            await panel.phase(/^connected$/);
            const offered = () => panel.content.locator(".wiotp-panel-summary button:visible").allTextContents();
            assert.deepEqual(await offered(), ["Reconnect now", "Disconnect", "Pause"]);
            await panel.confirmed("pause");
            await panel.reported("sends no more events");
            await panel.phase("connected, paused");
            assert.deepEqual(await offered(), ["Reconnect now", "Disconnect", "Resume"]);
            assert.equal(await editor.page.evaluate(() => document.activeElement?.textContent), "Resume");
            await inject(suite.nodeRed, "i1");
            await panel
                .fact("waiting")
                .filter({ hasText: /^[1-9]/ })
                .waitFor();
            await panel.confirmed("disconnect");
            await panel.reported("is disconnecting");
            await panel.phase(/^closed$/);
            assert.deepEqual(await offered(), ["Connect", "Resume"]);
            assert.equal(await panel.content.locator(".wiotp-panel-summary .wiotp-panel-reason").first().textContent(), "");
            await panel.confirmed("connect");
            await panel.reported("is connecting");
            await panel.phase("connected, paused");
            await panel.confirmed("resume");
            await panel.reported("sends events again");
            await panel.phase(/^connected$/);
            await panel.fact("waiting").filter({ hasText: /^0/ }).waitFor();
        });

        if (isNewest) {
            suite.test("sends no request while it is hidden: behind another tab, in a closed sidebar, in a hidden page", async () => {
                const behind = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => globalThis.isBehind })";
                const changed = "document.dispatchEvent(new Event('visibilitychange'))";
                const ways = [
                    { away: "RED.sidebar.show('info')", back: "RED.sidebar.show('wiotp-gateway')" },
                    { away: "RED.actions.invoke('core:toggle-sidebar')", back: "RED.actions.invoke('core:toggle-sidebar')" },
                    { away: `globalThis.isBehind = true; ${behind}; ${changed}`, back: `globalThis.isBehind = false; ${changed}` },
                ];
                const asked: string[] = [];
                const pages = await Promise.all(
                    ways.map(async ({ away, back }) => {
                        const { editor, panel } = await open(suite.openAnother());
                        await panel.phase("connected");
                        await editor.page.evaluate(away);
                        return { page: editor.page, away, back };
                    }),
                );
                for (const { page, away } of pages) {
                    // What was under way may still be answered.
                    await page.waitForLoadState("networkidle");
                    page.on("request", (request) => {
                        if (/gateway-config|wiotp-gateway/.test(new URL(request.url()).pathname))
                            asked.push(`${request.url()} after ${away}`);
                    });
                }
                // A panel that is looked at meanwhile says when the others would have asked.
                const looking = (await open()).panel.page;
                for (let renewal = 0; renewal < 2; renewal++)
                    await looking.waitForResponse((response) => response.url().endsWith("/watch"));
                assert.deepEqual(asked, []);
                for (const { page, back } of pages) {
                    const renewed = page.waitForResponse((response) => response.url().endsWith("/watch"));
                    await page.evaluate(back);
                    await renewed;
                }
            });
        }

        for (const theme of isNewest ? (["light", "dark"] as const) : (["light"] as const)) {
            suite.test(`fits a sidebar of 320 pixels, in the editor's ${theme} theme`, async () => {
                const { editor, panel } = await open(suite.openAnother({ theme }));
                await panel.phase("connected");
                await panel.content.locator(".wiotp-panel-charts canvas").first().waitFor();
                await panel.device("pump/p1").waitFor();
                await editor.page.setViewportSize({ width: 1400, height: 1560 });
                await panel.content.evaluate((content) => {
                    Object.assign(content.style, {
                        position: "fixed",
                        top: "0",
                        right: "0",
                        width: "320px",
                        height: "1560px",
                        zIndex: "100",
                    });
                });
                const body = panel.content.locator(".wiotp-panel-body");
                assert.deepEqual(await body.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth), 0);
                if (process.env.PICTURES_FOLDER && version === "Node-RED 5" && theme === "light")
                    writeFileSync(path.join(process.env.PICTURES_FOLDER, "panel.png"), await editor.picture(panel.content));
            });
        }

        if (isNewest) {
            suite.test("shows the event at which a broker closes the connection, and sends it again on request", async () => {
                const { panel } = await open();
                await panel.choose("Own broker", "hall-5");
                await inject(suite.nodeRed, "i5");
                const suspect = panel.entry("suspects", "iot-2/type/pump/id/bad/evt/status/fmt/json", /waits · strikes: /);
                await suspect.waitFor();
                pardon();
                await panel.confirmed("releaseSuspect", suspect);
                await panel.reported("The suspect is sent again");
                await suspect.waitFor({ state: "detached" });
                await panel.choose("Hall 4", "hall-4");
            });
        }

        suite.test("shows hostile ids and messages as text", async () => {
            const { editor, panel } = await open();
            const { page } = editor;
            const fault = { fault: "refusePublish", topic: "iot-2/type/pump/id/bad/*", rc: 276, message: hostile, times: 1 };
            const response = await fetch(`http://127.0.0.1:${port + 1}/sim/faults`, {
                method: "POST",
                headers: { "content-type": "application/json" },
                body: JSON.stringify(fault),
            });
            assert.equal(response.status, 201);
            await inject(suite.nodeRed, "i2");
            await panel.entry("notifications", hostile).waitFor();
            // The gateway takes no such ids; a panel must not depend on that.
            const device = { typeId: hostile, deviceId: hostile, firstSeenAt: 1, events: 1, commands: 0, refusals: 0 };
            const hold = { reason: "refused", until: 1, failures: 1, rc: 180, text: hostile };
            const devices = "**/gateway-config/g1/devices*";
            await page.route(devices, (route) =>
                route.fulfill({
                    json: { devices: [{ ...device, registration: { phase: "held", hold } }], total: 1, page: 0, pageSize: 200 },
                }),
            );
            const row = panel.content.locator(".wiotp-panel-device").filter({ hasText: `${hostile}/${hostile}` });
            await row.waitFor();
            await row.locator(".wiotp-panel-device-head").click();
            await row.locator('[data-action="forget"]').click();
            const question = page.locator(".red-ui-notification").filter({ hasText: hostile });
            await question.filter({ hasText: `Forget ${hostile}/${hostile}?` }).waitFor();
            await question.locator("button").first().click();
            assert.equal(await page.locator(".wiotp-panel img, .red-ui-notification img").count(), 0);
            assert.equal(await page.evaluate("globalThis.hacked"), undefined);
            await page.unroute(devices);
        });

        suite.test("downloads the diagnostics file with one button", async () => {
            const { editor, panel } = await open();
            const [download] = await Promise.all([
                editor.page.waitForEvent("download"),
                panel.content.locator('[data-action="diagnostics"]').click(),
            ]);
            assert.equal(download.suggestedFilename(), "wiotp-gateway-diagnostics.json");
        });

        suite.test("fits the narrowest sidebar, even with the long words of German", async () => {
            const { panel } = await open(suite.openAnother({ language: "de" }));
            await panel.device("pump/p1").waitFor();
            await panel.content.evaluate(({ style }) => Object.assign(style, { position: "fixed", right: "0", width: "180px" }));
            const body = panel.content.locator(".wiotp-panel-body");
            const cut = await body.evaluate((shown) => {
                const { right } = shown.getBoundingClientRect();
                return [...shown.querySelectorAll("*")]
                    .filter((each) => each.getBoundingClientRect().right > right)
                    .map(({ className }) => className);
            });
            assert.deepEqual(cut, []);
            for (const usable of [
                panel.content.locator(".wiotp-panel-gateways"),
                body.locator('.wiotp-panel-devices input[type="search"]'),
                body.locator(".wiotp-panel-devices select"),
            ])
                assert.ok(
                    ((await usable.first().boundingBox())?.width ?? 0) >= 70,
                    (await usable.first().getAttribute("aria-label")) ?? "",
                );
        });

        suite.test("lists ten thousand devices, 200 on a page, and finds one among them", async () => {
            const { panel } = await open();
            await inject(suite.nodeRed, "i3");
            await panel.find("MANY-");
            const range = panel.content.locator(".wiotp-panel-pager");
            await range.filter({ hasText: "1–200 of 10,000" }).waitFor();
            assert.equal(await panel.content.locator(".wiotp-panel-device").count(), 200);
            await range.locator("button").last().click();
            await range.filter({ hasText: "201–400 of 10,000" }).waitFor();
            await panel.find("many-9999");
            await range.filter({ hasText: "1–1 of 1" }).waitFor();
            const found = panel.device("pump/many-9999");
            await found.locator(".wiotp-panel-device-head").click();
            await panel.confirmed("purge", found);
            await panel.reported(/Events purged: 1|No events of the device are waiting/);
            // Marks of an address are nothing but characters to look for.
            await panel.find("MANY-1&page=3#50% +");
            await range.filter({ hasText: "No matching devices" }).waitFor();
            await panel.find("many-1000");
            await range.filter({ hasText: "1–1 of 1" }).waitFor();
            await panel.find("many-", "dormant");
            await range.filter({ hasText: "No matching devices" }).waitFor();
        });

        // Last, for its devices fill the first pages of the list.
        if (isNewest) {
            suite.test("lists ten thousand events that were not delivered, sends some again and deletes the rest", async () => {
                const { panel } = await open();
                await panel.phase("connected");
                await panel.confirmed("disconnect");
                await panel.phase("closed");
                await inject(suite.nodeRed, "i6");
                const part = panel.content.locator(".wiotp-panel-undelivered");
                const range = part.locator(".wiotp-panel-pager");
                // Other tests have left some of their own.
                const search = part.locator('input[type="search"]');
                await search.fill("pump/late-");
                await range.filter({ hasText: /1–200 .*10[.,]000/ }).waitFor({ timeout: 120_000 });
                await panel
                    .fact("undelivered")
                    .filter({ hasText: /^10[.,]\d{3}$/ })
                    .waitFor();
                assert.equal(await part.locator(".wiotp-panel-entry").count(), 200);
                await part.locator(".wiotp-panel-entry").filter({ hasText: "GW_EXPIRED" }).first().waitFor();
                await part.getByLabel("Next page").click();
                await range.filter({ hasText: "201–400" }).waitFor();
                await search.fill("pump/late-1234");
                await range.filter({ hasText: "1–1 of 1" }).waitFor();
                await panel.confirmed("resendEvent", part);
                await panel.reported("Events sent again: 1");
                // Without a connection it expires again.
                await part.locator(".wiotp-panel-entry").waitFor({ state: "detached" });
                await range.filter({ hasText: "1–1 of 1" }).waitFor();
                await search.fill("pump/late-");
                await range.filter({ hasText: /10[.,]000/ }).waitFor();
                await panel.confirmed("deleteAll", part);
                await panel.reported(/Events deleted: 10[.,]?000/);
                await part.locator(".wiotp-panel-entry").first().waitFor({ state: "hidden" });
                await panel.confirmed("connect");
                await panel.phase("connected");
            });
        }
    });
}
