import assert from "node:assert/strict";
import { connect, type MqttClient } from "mqtt";
import { Mosquitto } from "../support/mosquitto";
import { waitFor } from "../support/wait-for";
import { LoadedNodeRed } from "./support/loaded-node-red";
import { RecordingProxy } from "./support/recording-proxy";

/** How often each fault is caused; the long run of a release sets it to 100. */
const rounds = Number(process.env.RELIABILITY_ROUNDS ?? 2);

describe("an event that was reported done", function () {
    this.timeout(120_000 + rounds * 60_000);

    let broker: Mosquitto;
    let proxy: RecordingProxy;
    let nodeRed: LoadedNodeRed;
    let application: MqttClient;
    let received: string[];

    beforeEach(async () => {
        broker = await Mosquitto.start({ persistent: true });
        proxy = await RecordingProxy.start(() => broker.port);
        received = [];
        application = connect({ host: "127.0.0.1", port: broker.port, clientId: "application", clean: false, reconnectPeriod: 100 });
        application.on("error", () => {});
        application.on("message", (_topic, payload) => received.push(String(payload)));
        await waitFor(() => application.connected, "the application to connect");
        await application.subscribeAsync("iot-2/type/+/id/+/evt/+/fmt/+", { qos: 1 });
        nodeRed = new LoadedNodeRed({ port: proxy.port });
        await nodeRed.start();
    });

    afterEach(async () => {
        await nodeRed.dispose();
        application.end(true);
        await proxy.stop();
        await broker.stop();
    });

    /** Lets everything come to rest, and checks what must hold then; returns how many events arrived more than once. */
    async function check(options: { applicationSawAll: boolean }): Promise<number> {
        nodeRed.pause(true);
        const { done, failed } = await quiet();
        assert.deepEqual(failed, []);
        await waitFor(
            () => done.every((payload) => proxy.acknowledged.has(payload)),
            "the broker to have every event that was done",
            60_000,
        );
        if (options.applicationSawAll) {
            const seen = () => new Set(received);
            await waitFor(() => done.every((payload) => seen().has(payload)), "the application to have every event that was done", 60_000);
            assertInOrder(received);
        }
        assertInOrder(proxy.published.filter(({ payload }) => proxy.acknowledged.has(payload)).map(({ payload }) => payload));
        assertInOrderOnEachConnection();
        assert.equal(new Set(done).size, done.length, "an event was reported done twice");
        const twice = [...proxy.acknowledged.values()].filter((times) => times > 1).length;
        if (process.env.RELIABILITY_ROUNDS) console.log(`      ${done.length} events were done, none is missing, ${twice} were sent twice`);
        return twice;
    }

    /** Resolves when nothing more is reported done or published. */
    async function quiet(): Promise<{ done: string[]; failed: string[] }> {
        let last = "";
        let since = performance.now();
        return waitFor(
            () => {
                const outcomes = nodeRed.outcomes;
                const now = `${outcomes.done.length} ${proxy.published.length} ${proxy.inFlight}`;
                if (now !== last) since = performance.now();
                last = now;
                return proxy.inFlight === 0 && performance.now() - since > 1500 ? outcomes : undefined;
            },
            "the gateway to have nothing left to send",
            90_000,
        );
    }

    /** The first arrivals of each device's events come in the order of their numbers. */
    function assertInOrder(payloads: readonly string[]): void {
        const last = new Map<string, number>();
        const seen = new Set<string>();
        for (const payload of payloads) {
            if (seen.has(payload) || !payload.includes(":")) continue;
            seen.add(payload);
            const [device = "", number] = payload.split(":");
            assert.ok(Number(number) > (last.get(device) ?? 0), `${payload} came after ${device}:${last.get(device)}`);
            last.set(device, Number(number));
        }
    }

    /** Within one connection nothing is sent twice, and each device's events are sent in order. */
    function assertInOrderOnEachConnection(): void {
        const last = new Map<string, number>();
        for (const { connection, payload } of proxy.published) {
            const [device = "", number] = payload.split(":");
            const key = `${connection} ${device}`;
            assert.ok(Number(number) > (last.get(key) ?? 0), `${payload} was sent after ${last.get(key)} on connection ${connection}`);
            last.set(key, Number(number));
        }
    }

    it("arrives although Node-RED is killed under load, again and again", async () => {
        for (let round = 0; round < rounds; round++) {
            await nodeRed.moreDone(50 + Math.floor(Math.random() * 400));
            await nodeRed.end("SIGKILL");
            await nodeRed.start();
        }
        await nodeRed.moreDone(50);
        await check({ applicationSawAll: true });
    });

    it("arrives although Node-RED is killed under load while there is no connection, again and again", async () => {
        await nodeRed.moreDone(50);
        for (let round = 0; round < rounds; round++) {
            proxy.isBlackHole = true;
            proxy.reset();
            await nodeRed.moreDone(50 + Math.floor(Math.random() * 400));
            await nodeRed.end("SIGKILL");
            proxy.isBlackHole = false;
            await nodeRed.start();
            await nodeRed.moreDone(50 + Math.floor(Math.random() * 400));
        }
        await check({ applicationSawAll: true });
    });

    it("arrives although the broker is killed under load, again and again", async () => {
        for (let round = 0; round < rounds; round++) {
            await nodeRed.moreDone(50 + Math.floor(Math.random() * 400));
            await broker.halt("SIGKILL");
            await nodeRed.moreDone(50 + Math.floor(Math.random() * 400));
            await broker.resume();
        }
        await nodeRed.moreDone(50);
        // What the application misses, the broker lost when it was killed.
        await check({ applicationSawAll: false });
    });

    it("arrives although the link is reset or swallows everything, again and again", async () => {
        for (let round = 0; round < rounds * 2; round++) {
            await nodeRed.moreDone(50 + Math.floor(Math.random() * 400));
            if (round % 2 === 1) {
                proxy.isBlackHole = true;
                await nodeRed.moreDone(100);
            }
            proxy.reset();
            proxy.isBlackHole = false;
        }
        await nodeRed.moreDone(50);
        await check({ applicationSawAll: true });
    });

    it("arrives once although Node-RED is stopped and redeployed under load", async () => {
        for (let round = 0; round < rounds; round++) {
            await nodeRed.moreDone(50 + Math.floor(Math.random() * 400));
            await nodeRed.deploy(nodeRed.flows({ port: proxy.port }, `round ${round}`));
            await nodeRed.moreDone(50);
            await nodeRed.end("SIGTERM");
            await nodeRed.start();
        }
        await nodeRed.moreDone(50);
        assert.equal(await check({ applicationSawAll: true }), 0, "events were sent twice");
    });

    it("arrives after a power cut with a backlog on disk", async () => {
        await nodeRed.moreDone(50);
        await broker.halt();
        await nodeRed.moreDone(5000);
        await nodeRed.end("SIGKILL");
        await nodeRed.start();
        await nodeRed.moreDone(100);
        await broker.resume();
        await check({ applicationSawAll: true });
    });
});
