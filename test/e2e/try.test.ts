import { EditorPage, launchBrowser } from "../support/editor-page";
import { freePortPair } from "../support/example-package";
import { NodeRedProcess, nodeRedModules } from "../support/node-red-process";

describe("try", function () {
    this.timeout(60_000);
    for (const [version, module] of Object.entries(nodeRedModules).filter(([v]) => !process.env.ONLY || v.includes(process.env.ONLY))) {
        it(version, async () => {
            const [browser, nodeRed] = await Promise.all([launchBrowser(), NodeRedProcess.start(module)]);
            const port = await freePortPair();
            try {
                await nodeRed.deploy([
                    { id: "f1", type: "tab", label: "Flow 1" },
                    {
                        id: "g1",
                        type: "gateway-config",
                        name: "Hall 4",
                        platform: "simulator",
                        port: String(port),
                        orgId: "demo",
                        typeId: "gw",
                        deviceId: "gw1",
                    },
                    {
                        id: "i1",
                        type: "inject",
                        z: "f1",
                        repeat: "0.2",
                        once: true,
                        props: [{ p: "payload" }, { p: "deviceId", v: '"p" & $string($floor($random()*30))', vt: "jsonata" }],
                        payload: "1",
                        payloadType: "num",
                        x: 100,
                        y: 100,
                        wires: [["e1"]],
                    },
                    {
                        id: "e1",
                        type: "device-event-out",
                        z: "f1",
                        gateway: "g1",
                        typeId: "pump",
                        typeIdType: "str",
                        deviceId: "deviceId",
                        deviceIdType: "msg",
                        x: 300,
                        y: 100,
                        wires: [],
                    },
                    {
                        id: "d1",
                        type: "dm-responder",
                        z: "f1",
                        gateway: "g1",
                        respond: "auto",
                        firmwareActions: true,
                        x: 300,
                        y: 200,
                        wires: [[], []],
                    },
                ]);
                for (const theme of ["light", "dark"] as const) {
                    const editor = await EditorPage.open(browser, nodeRed, { theme });
                    await editor.page.evaluate("RED.actions.invoke('wiotp-gateway:show-panel')");
                    await editor.page.locator(".wiotp-panel-facts dd").first().waitFor();
                    await editor.page.waitForTimeout(8000);
                    await editor.page.locator('[data-action="reboot"]').click();
                    await editor.page.locator(".wiotp-panel-device-head").first().click();
                    await editor.page.waitForTimeout(2500);
                    await editor.page.screenshot({ path: `/tmp/shots/${module}-${theme}.png` });
                    console.log(editor.complaints);
                    await editor.page.locator(".wiotp-panel-body").evaluate((e) => e.scrollTo(0, 100000));
                    await editor.page.screenshot({ path: `/tmp/shots/${module}-${theme}-2.png` });
                }
            } finally {
                await browser.close();
                await nodeRed.stop();
            }
        });
    }
});
