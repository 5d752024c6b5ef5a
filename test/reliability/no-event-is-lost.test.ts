import assert from "node:assert/strict";
import { connect, type MqttClient } from "mqtt";
import { FaultyLine } from "../support/doubles/faulty-line";
import { Mosquitto } from "../support/drivers/mosquitto";
import { waitFor } from "../support/wait-for";
import { LoadedNodeRed } from "./support/loaded-node-red";
import { OrderCheck } from "./support/order";
import { RecordingProxy } from "./support/recording-proxy";

const rounds = 3;

/** What the fault campaign cannot show, because it comes to rest after each fault: faults that follow each other before that. */
describe("an event that was reported done", function () {
    this.timeout(240_000);

    let broker: Mosquitto;
    let proxy: RecordingProxy;
    let line: FaultyLine;
    let nodeRed: LoadedNodeRed;
    let application: MqttClient;
    let received: string[];

    beforeEach(async () => {
        broker = await Mosquitto.start({ persistent: true });
        proxy = await RecordingProxy.start(() => broker.port);
        line = await FaultyLine.to(proxy.port);
        received = [];
        application = connect({ host: "127.0.0.1", port: broker.port, clientId: "application", clean: false, reconnectPeriod: 100 });
        application.on("error", () => {});
        application.on("message", (_topic, payload) => received.push(String(payload)));
        await waitFor(() => application.connected, "the application to connect");
        await application.subscribeAsync("iot-2/type/+/id/+/evt/+/fmt/+", { qos: 1 });
        nodeRed = new LoadedNodeRed({ gateway: { port: String(line.port) } });
        await nodeRed.start();
    });

    afterEach(async () => {
        await nodeRed.dispose();
        application.end(true);
        line.close();
        await proxy.stop();
        await broker.stop();
    });

    /** Lets everything come to rest, and checks what must hold then; returns how many events the broker got more than once. */
    async function check(): Promise<number> {
        nodeRed.pause(true);
        await nodeRed.nothingQueued();
        const { record } = nodeRed;
        record.update();
        assert.deepEqual(record.failed, []);
        assert.equal(new Set(record.done).size, record.done.length, "an event was reported done twice");
        const lost = record.done.filter((payload) => !proxy.acknowledged.has(payload));
        assert.deepEqual(lost, [], "the broker does not have every event that was done");
        const seen = () => new Set(received);
        await waitFor(
            () => record.done.every((payload) => seen().has(payload)),
            "the application to have every event that was done",
            60_000,
        );
        assert.deepEqual(new OrderCheck().violations(received), []);
        return [...proxy.acknowledged.values()].filter((times) => times > 1).length;
    }

    const moreDone = () => nodeRed.moreDone(50 + Math.floor(Math.random() * 400));

    it("every event reported done arrives although Node-RED is killed repeatedly under load, online and offline", async () => {
        await moreDone();
        for (let round = 0; round < rounds; round++) {
            line.blackHole();
            line.reset();
            await moreDone();
            await nodeRed.end("SIGKILL");
            line.heal();
            await nodeRed.start();
            await moreDone();
            await nodeRed.end("SIGKILL");
            await nodeRed.start();
        }
        await check();
    });

    it("every event reported done arrives once although Node-RED is stopped and redeployed under load", async () => {
        for (let round = 0; round < rounds; round++) {
            await moreDone();
            await nodeRed.deploy(nodeRed.flows(`round ${round}`));
            await nodeRed.moreDone(50);
            await nodeRed.end("SIGTERM");
            await nodeRed.start();
        }
        await nodeRed.moreDone(50);
        assert.equal(await check(), 0, "events were sent twice");
    });

    it("every event reported done arrives after a power cut with a backlog on disk", async () => {
        await nodeRed.moreDone(50);
        await broker.halt();
        await nodeRed.moreDone(5000);
        await nodeRed.end("SIGKILL");
        await nodeRed.start();
        await nodeRed.moreDone(100);
        await broker.resume();
        await check();
    });
});
