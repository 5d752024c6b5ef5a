import assert from "node:assert/strict";
import fc from "fast-check";
import { TestPlatform } from "./support/platform";
import { RawClient } from "./support/raw-client";

describe("hostile input", () => {
    let platform: TestPlatform;
    beforeEach(async () => {
        platform = await TestPlatform.start();
    });
    afterEach(() => platform.close());

    const connect = "101a00044d51545404020000000e673a6f72673a6d7967773a677731";
    for (const [what, bytes] of [
        ["a huge announced length", "30ffffff7f"],
        ["a length of five bytes", "30ffffffffff01"],
        ["a packet type that does not exist", "0000"],
        ["AUTH", "f000"],
        ["a CONNACK from the client", "20020000"],
        ["QoS 3", "3607000161000131"],
        ["a topic longer than its packet", "3003ffff61"],
        ["a SUBSCRIBE with wrong flags", "8006000100016100"],
        ["a SUBSCRIBE that is cut", "8203000100"],
        ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").toString("hex")],
    ] as const) {
        for (const before of ["", connect]) {
            it(`closes only the client that sends ${what} ${before ? "after" : "in place of"} its CONNECT`, async () => {
                const bystander = await platform.connect("g:org:mygw:other");
                const client = await platform.open();
                client.sendBytes(Buffer.from(before + bytes, "hex"));
                await client.whenClosed();
                assert.deepEqual(await bystander.settle(), []);
            });
        }
    }

    it("survives any bytes in any pieces", async () => {
        const bystander = await platform.connect("g:org:mygw:other");
        await fc.assert(
            fc.asyncProperty(fc.boolean(), fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), async (connected, pieces) => {
                const client = await RawClient.open(platform.port);
                if (connected) client.sendBytes(Buffer.from(connect, "hex"));
                for (const piece of pieces) client.sendBytes(Buffer.from(piece));
                client.destroy();
                assert.deepEqual(await bystander.settle(), []);
            }),
            { numRuns: 200 },
        );
    });

    it("reads packets whatever the chunks", async () => {
        const client = await platform.open();
        for (const byte of Buffer.from(`${connect}c000`, "hex")) client.sendBytes(Buffer.from([byte]));
        await client.next((packet) => packet.cmd === "connack");
        await client.next((packet) => packet.cmd === "pingresp");
    });

    it("keeps a bounded queue for a client that does not read, and goes on with the others", async () => {
        await platform.close();
        platform = await TestPlatform.start({ queueDepth: 10, maxInFlight: 10 });
        const deaf = await platform.connect("a:org:deaf");
        await deaf.subscribe("iot-2/type/+/id/+/evt/+/fmt/+");
        deaf.pause();
        const [gateway, application] = [await platform.gateway(), await platform.application()];
        for (let index = 0; index < 100; index++) {
            await gateway.publish(`iot-2/type/mygw/id/gw1/evt/e${index}/fmt/bin`, Buffer.alloc(100_000));
            assert.ok((await application.message()).topic.includes(`/e${index}/`));
        }
        const subscriptions = platform.simulator.organisation("org").sessions.get("a:org:deaf")?.subscriptions.values() ?? [];
        const [subscription] = [...subscriptions];
        assert.ok(subscription && subscription.length <= 10 && subscription.dropped >= 50);
    });
});
