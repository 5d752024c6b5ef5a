import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gatewayNode } from "../support/drivers/flow-runner";
import { Mosquitto } from "../support/drivers/mosquitto";
import { NodeRedProcess } from "../support/drivers/node-red-process";
import { waitFor } from "../support/wait-for";

/** A gateway that is sent one event when the flows start. */
function flow(port: number, deviceId: string, payload: string): object[] {
    const onTab = (properties: object) => ({ z: "tab", x: 0, y: 0, wires: [], ...properties });
    const props = [
        { p: "payload", v: payload, vt: "str" },
        { p: "typeId", v: "t", vt: "str" },
        { p: "deviceId", v: "d1", vt: "str" },
    ];
    return [
        { id: "tab", type: "tab", label: "files" },
        gatewayNode(port, { outbox: "disk", deviceId }),
        onTab({ id: "once", type: "inject", once: true, onceDelay: 0.01, props, wires: [["event"]] }),
        onTab({ id: "event", type: "device-event-out", gateway: "gateway", format: "text", wires: [] }),
        onTab({ id: "complete", type: "complete", scope: ["event"], wires: [["log"]] }),
        onTab({ id: "log", type: "debug", tosidebar: false, console: true, complete: "payload", targetType: "msg" }),
        onTab({ id: "catch", type: "catch", scope: null, wires: [["caught"]] }),
        onTab({ id: "caught", type: "function", func: "node.log(`caught ${msg.error.code} ${msg.topic} ${msg.state}`)" }),
        onTab({ id: "status", type: "status", scope: ["event"], wires: [["shown"]] }),
        onTab({ id: "shown", type: "function", func: "node.log(`status ${msg.status.fill} ${msg.status.text}`)" }),
    ];
}

describe("outbox files", () => {
    it("reports an outbox file that cannot be created to Catch nodes and as a red status while events flow, and its recovery", async () => {
        const broker = await Mosquitto.start();
        const nodeRed = await NodeRedProcess.start("node-red");
        const folder = path.join(nodeRed.userDir, "wiotp-gateway");
        writeFileSync(folder, "a file where the folder should be");
        const says = (text: string) => waitFor(() => nodeRed.log.includes(text), `the log to say ${text}`);
        try {
            await nodeRed.deploy(flow(broker.port, "gw1", "first"));
            await says("caught GW_STORE gateway store");
            await says("status red device-event-out.status.store");
            await says("[debug:log] first");
            rmSync(folder);
            await says("The outbox file can be used again.");
            await says("status green device-event-out.status.connected");
            assert.ok(existsSync(path.join(folder, "gw+org+gw+gw1.sqlite")));
        } finally {
            await nodeRed.stop();
            await broker.stop();
        }
    });

    it("sets a damaged outbox file aside, logs its new path, and replaces it", async () => {
        const broker = await Mosquitto.start();
        const nodeRed = await NodeRedProcess.start("node-red");
        const folder = path.join(nodeRed.userDir, "wiotp-gateway");
        mkdirSync(folder);
        writeFileSync(path.join(folder, "gw+org+gw+gw1.sqlite"), "a note that is no database ".repeat(100));
        try {
            await nodeRed.deploy(flow(broker.port, "gw1", "first"));
            const aside = await waitFor(
                () => /It was set aside as (\S+) and replaced by a new one/.exec(nodeRed.log)?.[1],
                "the path in the log",
            );
            assert.match(readFileSync(aside, "utf8"), /a note that is no database/);
            await waitFor(() => nodeRed.log.includes("[debug:log] first"), "the event to be done");
            await waitFor(() => nodeRed.log.includes("status green device-event-out.status.connected"), "the status to be green");
        } finally {
            await nodeRed.stop();
            await broker.stop();
        }
    });

    it("keeps the outbox file of a removed gateway, logs its path and size, and sends its events when the gateway is back", async () => {
        const broker = await Mosquitto.start();
        await broker.halt();
        const nodeRed = await NodeRedProcess.start("node-red");
        const fileOf = (deviceId: string) => path.join(nodeRed.userDir, "wiotp-gateway", `gw+org+gw+${deviceId}.sqlite`);
        const isDone = (payload: string) => waitFor(() => nodeRed.log.includes(`[debug:log] ${payload}`), `${payload} to be done`);
        try {
            await nodeRed.deploy(flow(broker.port, "gw1", "first"));
            await isDone("first");
            await nodeRed.deploy(flow(broker.port, "gw2", "second"));
            await isDone("second");
            // The same configuration has another identity now.
            await waitFor(
                () => nodeRed.log.includes("No configuration uses g:org:gw:gw1 any more. Its undelivered events (1)"),
                "the log to say what becomes of the first file",
            );
            assert.ok(existsSync(fileOf("gw1")) && existsSync(fileOf("gw2")));

            await nodeRed.deploy([]);
            const told = await waitFor(
                () => /(No configuration uses g:org:gw:gw2 any more\. .*)/.exec(nodeRed.log)?.[1],
                "the log to say what becomes of the file",
            );
            assert.ok(
                told.startsWith(
                    `No configuration uses g:org:gw:gw2 any more. Its undelivered events (1) and its device data remain in ${fileOf("gw2")} (`,
                ),
                told,
            );
            const megabytes = Number(/\((\S+) MB\)/.exec(told)?.[1]);
            assert.ok(Math.abs(megabytes - statSync(fileOf("gw2")).size / 1e6) < 0.2, told);

            await broker.resume();
            await nodeRed.deploy(flow(broker.port, "gw1", "third"));
            await broker.logged(/Received PUBLISH from g:org:gw:gw1/, 2);
            await nodeRed.deploy(flow(broker.port, "gw2", "fourth"));
            await broker.logged(/Received PUBLISH from g:org:gw:gw2/, 2);
        } finally {
            await nodeRed.stop();
            await broker.stop();
        }
    });
});
