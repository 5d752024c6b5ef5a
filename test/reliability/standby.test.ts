import assert from "node:assert/strict";
import { connect, type MqttClient } from "mqtt";
import { FaultyLine } from "../support/doubles/faulty-line";
import { Mosquitto } from "../support/drivers/mosquitto";
import { waitFor } from "../support/wait-for";
import { LoadedNodeRed } from "./support/loaded-node-red";
import { OrderCheck } from "./support/order";
import { RecordingProxy } from "./support/recording-proxy";

/** A Node-RED on a machine of its own, with its way to the broker. */
interface Machine {
    readonly nodeRed: LoadedNodeRed;
    readonly line: FaultyLine;
    readonly proxy: RecordingProxy;
}

describe("two Node-REDs with one identity", function () {
    this.timeout(300_000);

    let broker: Mosquitto;
    let application: MqttClient;
    let received: string[];
    let machines: Machine[];

    beforeEach(async () => {
        broker = await Mosquitto.start({ persistent: true });
        received = [];
        application = connect({ host: "127.0.0.1", port: broker.port, clientId: "application", clean: false, reconnectPeriod: 100 });
        application.on("error", () => {});
        application.on("message", (_topic, payload) => received.push(String(payload)));
        await waitFor(() => application.connected, "the application to connect");
        await application.subscribeAsync("iot-2/type/+/id/+/evt/+/fmt/+", { qos: 1 });
        machines = [];
    });

    afterEach(async () => {
        for (const { nodeRed, line, proxy } of machines) {
            await nodeRed.dispose();
            line.close();
            await proxy.stop();
        }
        application.end(true);
        await broker.stop();
    });

    /** Starts a machine that stands by: its gateway waits to be asked, and its source sends nothing. */
    async function standby(): Promise<Machine> {
        const proxy = await RecordingProxy.start(() => broker.port);
        const line = await FaultyLine.to(proxy.port);
        const nodeRed = new LoadedNodeRed({ gateway: { port: String(line.port), autoConnect: false } });
        const machine = { nodeRed, line, proxy };
        machines.push(machine);
        nodeRed.pause(true);
        await nodeRed.start();
        await nodeRed.becomes("closed");
        return machine;
    }

    /** What a lease does to the machine that gets it. */
    async function activate({ nodeRed }: Machine): Promise<void> {
        await nodeRed.ask("connect");
        await nodeRed.becomes("connected");
        nodeRed.pause(false);
    }

    /** What a lease does to the machine that loses it. */
    async function deactivate({ nodeRed }: Machine): Promise<void> {
        nodeRed.pause(true);
        await nodeRed.ask("disconnect");
        await nodeRed.becomes("closed");
    }

    function done({ nodeRed: { record } }: Machine): readonly string[] {
        record.update();
        return record.done;
    }

    async function assertReceived(payloads: readonly string[]): Promise<void> {
        const missing = () => {
            const seen = new Set(received);
            return payloads.filter((payload) => !seen.has(payload));
        };
        await waitFor(
            () => missing().length === 0,
            () => `the application to have every event; it lacks ${missing().length}`,
            60_000,
        );
    }

    it("the standby takes over after a crash, nothing that reached the broker is missing, and the backlog follows with its machine", async () => {
        const [first, second] = [await standby(), await standby()];
        await activate(first);
        await first.nodeRed.moreDone(500);
        assert.equal(broker.count(/as g:org1:gw:gw1/), 1, "the standby has not connected");
        // A cut line before the crash leaves a backlog that only this machine has.
        first.line.blackHole();
        await first.nodeRed.moreDone(200);
        await first.nodeRed.end("SIGKILL");
        first.line.heal();
        const beforeCrash = done(first);
        const atBroker = beforeCrash.filter((payload) => first.proxy.acknowledged.has(payload));
        assert.ok(atBroker.length >= 400 && atBroker.length < beforeCrash.length);

        await activate(second);
        await second.nodeRed.moreDone(500);
        await assertReceived([...atBroker, ...done(second)]);

        // The machine is back and has no lease: it keeps its backlog, and leaves the active one alone.
        first.nodeRed.pause(true);
        await first.nodeRed.start();
        await first.nodeRed.becomes("closed");
        await waitFor(async () => ((await first.nodeRed.state())?.queuedEvents ?? 0) > 0, "the backlog to be read from its file");
        await second.nodeRed.moreDone(200);
        assert.deepEqual(second.nodeRed.record.problems, []);

        await deactivate(second);
        await activate(first);
        await first.nodeRed.moreDone(200);
        first.nodeRed.pause(true);
        await first.nodeRed.nothingQueued();
        await assertReceived([...done(first), ...done(second)]);
        for (const { nodeRed } of machines) assert.deepEqual(nodeRed.record.failed, []);
    });

    it("a planned change of machines loses nothing and sends nothing twice", async () => {
        const [first, second] = [await standby(), await standby()];
        await activate(first);
        for (const [active, next] of [
            [first, second],
            [second, first],
        ] as const) {
            await active.nodeRed.moreDone(300);
            await deactivate(active);
            await activate(next);
        }
        await first.nodeRed.moreDone(100);
        await deactivate(first);
        await assertReceived([...done(first), ...done(second)]);
        assert.equal(new Set(received).size, received.length, "an event came twice");
        for (const machine of machines) {
            // Each source counts from its own start.
            const own = new Set(done(machine));
            assert.deepEqual(new OrderCheck().violations(received.filter((payload) => own.has(payload))), []);
        }
        for (const { nodeRed } of machines) {
            assert.deepEqual([nodeRed.record.failed, nodeRed.record.problems], [[], []]);
        }
    });

    it("two that are active at once are reported as GW_TAKEN_OVER, and lose nothing", async () => {
        const [first, second] = [await standby(), await standby()];
        await activate(first);
        await first.nodeRed.moreDone(100);
        await second.nodeRed.ask("connect");
        second.nodeRed.pause(false);
        const isTold = ({ nodeRed: { record } }: Machine) => {
            record.update();
            return record.problems.some(({ code }) => code === "GW_TAKEN_OVER");
        };
        await waitFor(() => machines.some(isTold), "GW_TAKEN_OVER", 180_000);
        for (const { nodeRed } of machines) await nodeRed.moreDone(100);

        await deactivate(second);
        first.nodeRed.pause(true);
        await first.nodeRed.nothingQueued();
        await deactivate(first);
        await activate(second);
        second.nodeRed.pause(true);
        await second.nodeRed.nothingQueued();
        await assertReceived([...done(first), ...done(second)]);
        for (const { nodeRed } of machines) assert.deepEqual(nodeRed.record.failed, []);
    });
});
