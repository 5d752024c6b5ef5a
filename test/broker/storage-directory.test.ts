import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { connectAsync } from "mqtt";
import { gatewayNode } from "../support/drivers/flow-runner";
import { Mosquitto } from "../support/drivers/mosquitto";
import { NodeRedProcess } from "../support/drivers/node-red-process";
import { SmallDisk } from "../support/drivers/small-disk";
import { waitFor } from "../support/wait-for";

const fileName = "gw+org+gw+gw1.sqlite";

/** A gateway that is sent one event when the flows start; the log says when it is done, and what a Catch node gets. */
function flow(port: number, payload: string): object[] {
    const onTab = (properties: object) => ({ z: "tab", x: 0, y: 0, wires: [], ...properties });
    const func = `node.send({ payload: "${payload}", typeId: "t", deviceId: "d1" });`;
    return [
        { id: "tab", type: "tab", label: "storage" },
        gatewayNode(port, { outbox: "disk" }),
        onTab({ id: "once", type: "inject", once: true, onceDelay: 0.01, props: [], wires: [["one"]] }),
        onTab({ id: "one", type: "function", func, outputs: 1, wires: [["event"]] }),
        onTab({ id: "event", type: "device-event-out", gateway: "gateway", format: "text" }),
        onTab({ id: "complete", type: "complete", scope: ["event"], wires: [["done"]] }),
        onTab({ id: "done", type: "function", func: "node.log(`done ${msg.payload}`)" }),
        onTab({ id: "catch", type: "catch", scope: null, wires: [["caught"]] }),
        onTab({ id: "caught", type: "function", func: "node.log(`caught ${msg.error.code} ${msg.error.message}`)" }),
    ];
}

describe("gatewayConfigStorageDir", () => {
    let broker: Mosquitto;
    let directory: string;
    let nodeRed: NodeRedProcess | undefined;

    before(async () => {
        broker = await Mosquitto.start({ persistent: true });
    });

    after(async () => broker?.stop());

    beforeEach(() => {
        // Where there is a file system in memory, the folder is on another one than the user directory.
        directory = mkdtempSync(path.join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "wiotp-gateway-storage-"));
    });

    afterEach(async () => {
        await nodeRed?.stop();
        nodeRed = undefined;
        rmSync(directory, { recursive: true, force: true });
    });

    async function start(gatewayConfigStorageDir: string | undefined, userDir?: string): Promise<NodeRedProcess> {
        const settings = gatewayConfigStorageDir === undefined ? {} : { gatewayConfigStorageDir };
        nodeRed = await NodeRedProcess.start("node-red", { settings, ...(userDir === undefined ? {} : { userDir }) });
        return nodeRed;
    }

    const says = (text: string) => waitFor(() => nodeRed?.log.includes(text), `the log to say ${text}`);

    it("an absolute folder on another file system is created, for its owner only, and holds the only file", async () => {
        const chosen = path.join(directory, "missing", "outbox");
        const { userDir } = await start(chosen);
        await nodeRed?.deploy(flow(broker.port, "first"));
        await says("done first");
        await waitFor(() => existsSync(path.join(chosen, fileName)), "the file");
        assert.equal(existsSync(path.join(userDir, "wiotp-gateway")), false);
        if (existsSync("/dev/shm")) assert.notEqual(statSync(chosen).dev, statSync(userDir).dev);
        if (process.platform !== "win32") assert.equal(statSync(chosen).mode & 0o777, 0o700);
    });

    it("a relative folder is below the user directory", async () => {
        const { userDir } = await start("data/outbox");
        await nodeRed?.deploy(flow(broker.port, "first"));
        await says("done first");
        await waitFor(() => existsSync(path.join(userDir, "data", "outbox", fileName)), "the file");
        assert.equal(existsSync(path.join(userDir, "wiotp-gateway")), false);
    });

    it("a folder that cannot be created is GW_STORE with its path, and events flow", async () => {
        const inTheWay = path.join(directory, "file");
        writeFileSync(inTheWay, "");
        const chosen = path.join(inTheWay, "outbox");
        await start(chosen);
        await nodeRed?.deploy(flow(broker.port, "first"));
        await says("caught GW_STORE");
        await says(path.join(chosen, fileName));
        await says("done first");
        rmSync(inTheWay);
        await says("The outbox file can be used again.");
        assert.ok(existsSync(path.join(chosen, fileName)));
    });

    it("a read-only or full folder is GW_STORE with its path, and is used as soon as it can be", async function () {
        // Where nothing may be mounted, the folder that cannot be created above stands for it.
        if (!SmallDisk.isPossible()) return;
        this.timeout(120_000);
        for (const fault of ["read-only", "full"]) {
            const mount = path.join(directory, fault);
            mkdirSync(mount);
            const disk = new SmallDisk(mount);
            const chosen = path.join(mount, "outbox");
            try {
                if (fault === "full") disk.fill();
                else disk.isReadOnly = true;
                await start(chosen);
                await nodeRed?.deploy(flow(broker.port, fault));
                await says("caught GW_STORE");
                await says(path.join(chosen, fileName));
                await says(`done ${fault}`);
                if (fault === "full") disk.empty();
                else disk.isReadOnly = false;
                await says("The outbox file can be used again.");
                await nodeRed?.stop();
                nodeRed = undefined;
                assert.ok(statSync(path.join(chosen, fileName)).size > 0);
            } finally {
                await nodeRed?.stop();
                nodeRed = undefined;
                disk.unmount();
            }
        }
    });

    it("files moved from the old folder as docs/operation.md says continue with their events", async () => {
        const application = await connectAsync({ host: "127.0.0.1", port: broker.port, clientId: "application", clean: false });
        const received: string[] = [];
        application.on("message", (_topic, payload) => received.push(payload.toString()));
        await application.subscribeAsync("iot-2/type/t/#", { qos: 1 });
        const userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-user-"));
        try {
            await broker.halt();
            const before = await start(undefined, userDir);
            await before.deploy(flow(broker.port, "old"));
            await says("done old");
            await before.stop();
            const old = path.join(userDir, "wiotp-gateway");
            assert.ok(readdirSync(old).includes(fileName));
            cpSync(old, directory, { recursive: true });
            rmSync(old, { recursive: true });
            await broker.resume();
            await start(directory, userDir);
            // The flow sends an event of its own as it starts.
            await waitFor(() => received.length === 2, "both events");
            assert.deepEqual(received, ["old", "old"]);
            assert.equal(existsSync(old), false);
        } finally {
            await nodeRed?.stop();
            nodeRed = undefined;
            await application.endAsync();
            rmSync(userDir, { recursive: true, force: true });
        }
    });
});
