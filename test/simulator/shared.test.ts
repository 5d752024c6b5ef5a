import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { acquireSimulator } from "../../src/simulator/shared";
import { startSimulator } from "../../src/simulator/simulator";
import { freePortPair } from "../support/ports";
import { RawClient } from "./support/raw-client";

async function occupy(port: number): Promise<Server> {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    return server;
}

describe("the simulator shared by the gateways of one port", () => {
    it("is one for all gateways on the port, and ends with the last release", async () => {
        const port = await freePortPair();
        const [first, second] = await Promise.all([acquireSimulator(port), acquireSimulator(port)]);
        assert.equal(first.simulator, second.simulator);
        assert.deepEqual([first.simulator.port, first.simulator.httpPort], [port, port + 1]);
        await first.release();
        await first.release();
        const client = await RawClient.connect(port, "g:any:mygw:gw1", { password: Buffer.alloc(0) });
        await second.release();
        await client.whenClosed();
        await assert.rejects(RawClient.open(port));
    });

    it("can be started again at once after the last release", async () => {
        const port = await freePortPair();
        const first = await acquireSimulator(port);
        const released = first.release();
        const second = await acquireSimulator(port);
        assert.notEqual(second.simulator, first.simulator);
        await released;
        const client = await RawClient.connect(port, "g:any:mygw:gw1");
        client.destroy();
        await second.release();
    });

    it("rejects with the name of a port that is taken, and starts once it is free", async () => {
        const port = await freePortPair();
        const server = await occupy(port);
        await assert.rejects(acquireSimulator(port), (error: Error) => error.message.includes(`port ${port} of 127.0.0.1 for MQTT`));
        await new Promise((resolve) => server.close(resolve));
        const lease = await acquireSimulator(port);
        await lease.release();
    });

    it("rejects with the name of an HTTP port that is taken, and leaves the MQTT port free", async () => {
        const port = await freePortPair();
        const server = await occupy(port + 1);
        await assert.rejects(acquireSimulator(port), (error: Error) =>
            error.message.includes(`port ${port + 1} of 127.0.0.1 for its HTTP`),
        );
        await new Promise((resolve) => server.close(resolve));
        const lease = await acquireSimulator(port);
        await lease.release();
    });

    it("rejects a number that is no port", async () => {
        await assert.rejects(startSimulator({ port: 70_000 }), /whole number from 0 to 65535/);
    });
});

describe("the end of a simulator", () => {
    it("comes within a second whatever the clients do, and closing twice has no effect", async () => {
        const simulator = await startSimulator({ port: 0, httpPort: 0 });
        const connected = await RawClient.connect(simulator.port, "g:org:mygw:gw1");
        const silent = await RawClient.open(simulator.port);
        const deaf = await RawClient.connect(simulator.port, "a:org:deaf");
        await deaf.subscribe("iot-2/type/+/id/+/evt/+/fmt/+");
        deaf.pause();
        for (let index = 0; index < 200; index++) {
            simulator.publish("org", "iot-2/type/mygw/id/gw1/evt/e/fmt/bin", Buffer.alloc(100_000));
        }
        const begin = performance.now();
        await Promise.all([simulator.close(), simulator.close()]);
        assert.ok(performance.now() - begin < 5_000);
        deaf.resume();
        await Promise.all([connected.whenClosed(), silent.whenClosed(), deaf.whenClosed()]);
    });
});
