import assert from "node:assert/strict";
import { getActiveResourcesInfo } from "node:process";
import { FastClock } from "../support/doubles/fast-clock";
import { FaultyLine } from "../support/doubles/faulty-line";
import { Connections } from "../support/drivers/connections";
import { Mosquitto } from "../support/drivers/mosquitto";
import { testPacket } from "../support/packets";
import { waitFor } from "../support/wait-for";

/** What keeps the process busy: sockets, servers, child processes; a poll of `waitFor` is a timer of the test's own. */
function resources(): string {
    return getActiveResourcesInfo()
        .filter((name) => name !== "Timeout")
        .sort()
        .join();
}

describe("many connections in a row", () => {
    const connections = new Connections();
    let broker: Mosquitto;
    before(async () => {
        broker = await Mosquitto.start();
    });
    afterEach(() => connections.close());
    after(() => broker.stop());

    it("many connections in a row leave no socket, timer or listener behind, with one CONNECT for each", async () => {
        const clock = new FastClock(1);
        const cycle = async () => {
            const { connection } = await connections.online("cycle", { port: broker.port, clock });
            await connection.subscribe("a/+", 1);
            connection.publish(testPacket("a/b", 1), "x", () => {});
            await connection.stop(1_000);
            await connections.close();
        };
        await cycle();
        const before = resources();
        const connects = broker.connects;
        const warnings: Error[] = [];
        const note = (warning: Error) => warnings.push(warning);
        process.on("warning", note);
        for (let i = 0; i < 200; i++) await cycle();
        process.off("warning", note);
        assert.equal(clock.timerCount, 0);
        assert.deepEqual(warnings, []);
        await waitFor(() => resources() === before, `the resources to be ${before} again`);
        await waitFor(() => broker.connects - connects >= 200, "the broker's log");
        assert.equal(broker.connects - connects, 200);
    });

    it("many connections that fail or are cut leave nothing behind", async () => {
        const clock = new FastClock(1_000);
        const line = await FaultyLine.to(broker.port);
        const before = resources();
        const { connection, recorder } = await connections.online("cut", { port: line.port, clock });
        for (let i = 1; i <= 30; i++) {
            line.reset();
            await waitFor(() => recorder.phases.filter((phase) => phase === "online").length > i, "the next connection");
        }
        await connection.stop(1_000);
        assert.equal(clock.timerCount, 0);
        await waitFor(() => line.open === 0 && resources() === before, `the resources to be ${before} again`);
        line.close();
    });
});
