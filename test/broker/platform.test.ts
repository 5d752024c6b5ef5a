import assert from "node:assert/strict";
import { type Simulator, type SimulatorOptions, startSimulator } from "../../src/simulator/simulator";
import { FastClock } from "../support/doubles/fast-clock";
import { Connections } from "../support/drivers/connections";
import { testPacket } from "../support/packets";
import { waitFor } from "../support/wait-for";

const event = (deviceId: string, eventId = "e") => `iot-2/type/sensor/id/${deviceId}/evt/${eventId}/fmt/json`;
const notifications = (deviceId: string) => `iot-2/type/gw/id/${deviceId}/notify`;

describe("behaviour that only the platform has", () => {
    const connections = new Connections();
    let simulator: Simulator;
    afterEach(async () => {
        await connections.close();
        await simulator.close();
    });
    const start = async (options: SimulatorOptions = {}) => {
        simulator = await startSimulator({ port: 0, httpPort: 0, ...options });
        return simulator;
    };

    it("200 refused publishes lead to 200 acknowledgements and 200 notifications, with or without stray pings", async () => {
        await start({ registration: { rules: [{ devices: "sensor/deny*", rc: 180 }], maxPending: 1_000 } });
        const { connection, recorder } = await connections.online("g1", { port: simulator.port });
        await connection.subscribe(notifications("g1"), 0);
        let acknowledged = 0;
        for (let i = 0; i < 200; i++) {
            connection.publish(
                testPacket(event(`deny${i}`), 1),
                "{}",
                (error) => {
                    if (!error) acknowledged++;
                },
                true,
            );
        }
        await waitFor(() => acknowledged === 200, "200 acknowledgements");
        await waitFor(() => recorder.messages.length >= 200, "200 notifications");
        await waitFor(() => recorder.strayPings >= 200, "200 stray pings");
        assert.equal(recorder.messages.length, 200);
        assert.equal(recorder.strayPings, 200);
        assert.equal(connection.isOnline, true);
    });

    it("a quota that stops the platform reading is not a stall, with 1000 events in flight", async () => {
        const factor = 20;
        const clock = new FastClock(factor);
        // 50 events a second on the clock of the connection.
        await start({ quota: { messagesPerSecond: 50 * factor } });
        const { connection, recorder } = await connections.online("g1", { port: simulator.port, clock, keepAliveS: 10 });
        let acknowledged = 0;
        connection.publish(testPacket(event("known"), 1), "{}", () => acknowledged++, true);
        await waitFor(() => acknowledged === 1, "the registration attempt");
        let sent = 1;
        while (sent < 4_000) {
            while (sent - acknowledged < 1_000) {
                connection.publish(testPacket(event("known"), 1), "{}", () => acknowledged++);
                sent++;
            }
            const before = acknowledged;
            await waitFor(() => acknowledged > before, "more acknowledgements");
        }
        await waitFor(() => acknowledged === sent, "all acknowledgements");
        assert.deepEqual(recorder.phases, ["connecting", "online"]);
    });

    it("a withheld acknowledgement of a registration attempt is not a stall", async () => {
        await start({ registration: { rules: [{ devices: "sensor/hang*", never: true }] } });
        const clock = new FastClock(200);
        const { connection, recorder } = await connections.online("g1", { port: simulator.port, clock, keepAliveS: 60 });
        const outcomes: (Error | undefined)[] = [];
        connection.publish(testPacket(event("hang1"), 1), "{}", (error) => outcomes.push(error), true);
        const startMs = clock.monotonicMs();
        // Longer than any limit there is for an acknowledgement that is due.
        await waitFor(() => clock.monotonicMs() - startMs > 400_000, "some minutes to pass");
        assert.deepEqual(outcomes, []);
        assert.deepEqual(recorder.phases, ["connecting", "online"]);
    });

    it("one missing acknowledgement while others arrive leads to a reconnect after five minutes", async () => {
        await start();
        simulator.faults.add({ fault: "withholdPuback", topic: "*/evt/lost/*", times: 1 });
        const clock = new FastClock(200);
        const { connection, recorder } = await connections.online("g1", { port: simulator.port, clock, keepAliveS: 60 });
        const outcomes: (Error | undefined)[] = [];
        connection.publish(testPacket(event("d", "lost"), 1), "{}", (error) => outcomes.push(error));
        const others = setInterval(() => connection.publish(testPacket(event("d"), 1), "{}", () => {}), 20);
        await waitFor(() => recorder.lastReason, "the new connection").finally(() => clearInterval(others));
        assert.match(recorder.lastReason?.text ?? "", /not acknowledged an event for five minutes/);
        assert.equal(outcomes.length, 1);
    });

    it("a refused subscription is reported, and the connection stays", async () => {
        await start();
        const { connection } = await connections.online("g1", { port: simulator.port });
        const filters = ["iot-2/type/+/id/+/cmd/#", "iot-2/type/+/id/+/cmd/+/fmt/+"];
        const [refused, granted] = await Promise.allSettled(filters.map((filter) => connection.subscribe(filter, 1)));
        assert.equal(refused?.status === "rejected" && refused.reason.code, "GW_SUBSCRIBE_REFUSED");
        assert.equal(granted?.status === "fulfilled" && granted.value, 1);
    });

    it("messages queued by a durable session arrive before any filter is subscribed again", async () => {
        await start();
        const command = (i: number) => `iot-2/type/gw/id/g1/cmd/c${i}/fmt/json`;
        const first = await connections.online("g1", { port: simulator.port, cleanSession: false });
        await first.connection.subscribe("iot-2/type/gw/id/g1/cmd/+/fmt/+", 1);
        await first.connection.stop(1_000);
        for (let i = 0; i < 20; i++) simulator.publish("org", command(i), "{}", 1);
        const second = connections.open("g1", { port: simulator.port, cleanSession: false });
        await waitFor(() => second.recorder.messages.length === 20, "the queued commands");
        assert.deepEqual(
            second.recorder.topics,
            Array.from({ length: 20 }, (_, i) => command(i)),
        );
        assert.equal(second.recorder.phases.at(-1), "online", "the connection was reported before its messages");
    });

    it("the platform closes without an answer when it rejects the last will", async () => {
        await start();
        const will = { topic: "foo/will", payload: "offline", qos: 1 } as const;
        const reason = await connections.reason("g1", { port: simulator.port, will });
        assert.match(reason.text, /refuses the last will on foo\/will/);
    });
});
