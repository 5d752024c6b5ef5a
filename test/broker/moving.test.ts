import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { connectAsync } from "mqtt";
import { gatewayNode } from "../support/drivers/flow-runner";
import { Mosquitto, passwordFile } from "../support/drivers/mosquitto";
import { NodeRedProcess } from "../support/drivers/node-red-process";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

/** A gateway that is sent three events when the flows start, and says in the log when they are done. */
function flow(port: number): object[] {
    const onTab = (properties: object) => ({ z: "tab", x: 0, y: 0, wires: [], ...properties });
    const func = 'for (let n = 1; n <= 3; n++) node.send({ payload: { n }, typeId: "pump", deviceId: "p1" });';
    return [
        { id: "tab", type: "tab", label: "moving" },
        gatewayNode(port, { outbox: "disk" }),
        onTab({ id: "once", type: "inject", once: true, onceDelay: 0.01, props: [], wires: [["three"]] }),
        onTab({ id: "three", type: "function", func, outputs: 1, wires: [["event"]] }),
        onTab({ id: "event", type: "device-event-out", gateway: "gateway", timestamp: "at" }),
        onTab({ id: "complete", type: "complete", scope: ["event"], wires: [["log"]] }),
        onTab({ id: "log", type: "function", func: "node.log(`done ${msg.payload.n}`)" }),
    ];
}

describe("a gateway that moves to another machine with its user directory", () => {
    it("logs in with its token on the new machine, and delivers the backlog in order with the old times", async () => {
        const broker = await Mosquitto.start({
            persistent: true,
            general: ["allow_anonymous false", "password_file {dir}/passwords"],
            files: { passwords: passwordFile({ "use-token-auth": secretToken, application: "application" }) },
        });
        const there = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-moved-"));
        const login = { username: "application", password: "application", clientId: "application", clean: false };
        const application = await connectAsync({ host: "127.0.0.1", port: broker.port, ...login });
        const received: { n: number; at: string }[] = [];
        application.on("message", (_topic, payload) => received.push(JSON.parse(payload.toString())));
        await application.subscribeAsync("iot-2/type/pump/#", { qos: 1 });
        let moved: NodeRedProcess | undefined;
        try {
            await broker.halt();
            const here = await NodeRedProcess.start("node-red");
            await here.deploy(flow(broker.port));
            await waitFor(() => here.log.includes("done 3"), "three events on disk");
            await here.kill("SIGTERM");
            const leftAt = new Date().toISOString();
            cpSync(here.userDir, there, { recursive: true });
            await here.stop();
            await broker.resume();
            moved = await NodeRedProcess.start("node-red", { userDir: there });
            // The flow sends three new ones as it starts: those that moved come first.
            await waitFor(() => received.length === 6, "the events");
            assert.deepEqual(
                received.map(({ n }) => n),
                [1, 2, 3, 1, 2, 3],
            );
            assert.deepEqual(
                received.map(({ at }) => at < leftAt),
                [true, true, true, false, false, false],
            );
        } finally {
            await moved?.stop();
            await application.endAsync();
            await broker.stop();
            rmSync(there, { recursive: true, force: true });
        }
    });
});
