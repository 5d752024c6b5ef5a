import assert from "node:assert/strict";
import type { IConnectPacket } from "mqtt-packet";
import { TestPlatform } from "./support/platform";
import type { ConnectFields } from "./support/raw-client";

const long = "x".repeat(36);

describe("a CONNECT", () => {
    let platform: TestPlatform;
    afterEach(() => platform.close());

    async function answerTo(clientId: string, fields: ConnectFields = {}): Promise<number | "closed"> {
        const client = await platform.open();
        const answer = await client.hello(clientId, fields);
        if (answer !== 0) await client.whenClosed();
        return answer;
    }

    for (const clientId of [
        "g:org:mygw:gw1",
        "d:org:mydevice:d1",
        "a:org:app",
        "A:org:app",
        "A:org:app:1",
        "g:org:a.b_c-d:a.b_c-d",
        `g:org:${long}:${long}`,
    ]) {
        it(`admits ${clientId}`, async () => {
            platform = await TestPlatform.start({ organisation: "org" });
            assert.equal(await answerTo(clientId), 0);
        });
    }

    for (const clientId of [
        "g:org:mygw",
        "gw1",
        "G:org:mygw:gw1",
        "",
        "g:org::gw1",
        "g:org:mygw:",
        "g::mygw:gw1",
        "a:org",
        "g:other:mygw:gw1",
    ]) {
        it(`answers the malformed client id "${clientId}" with CONNACK 5`, async () => {
            platform = await TestPlatform.start({ organisation: "org" });
            assert.equal(await answerTo(clientId), 5);
        });
    }

    for (const clientId of ["g:org:my gw:gw1", "g:org:mygw:gw é", "g:org:mygw:gw1:x", `g:org:mygw:${long}x`, `g:org:${long}x:gw1`]) {
        it(`answers the illegal characters or length of "${clientId}" with CONNACK 2`, async () => {
            platform = await TestPlatform.start({ organisation: "org" });
            assert.equal(await answerTo(clientId), 2);
        });
    }

    const token = Buffer.from("s3cret");
    for (const [what, fields, expected] of [
        ["the right token", { username: "use-token-auth", password: token }, 0],
        ["a wrong token", { username: "use-token-auth", password: Buffer.from("wrong!") }, 5],
        ["an empty token", { username: "use-token-auth", password: Buffer.alloc(0) }, 5],
        ["another user name", { username: "someone", password: token }, 5],
    ] as const) {
        it(`answers ${what} with CONNACK ${expected}`, async () => {
            platform = await TestPlatform.start({ token: "s3cret" });
            assert.equal(await answerTo("g:org:mygw:gw1", fields), expected);
        });
    }

    it("answers no user and no password with CONNACK 5 when there is a token", async () => {
        platform = await TestPlatform.start({ token: "s3cret" });
        const client = await platform.open();
        client.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clientId: "g:org:mygw:gw1", clean: true, keepalive: 0 });
        const connack = await client.next((packet) => packet.cmd === "connack");
        assert.ok(connack.cmd === "connack" && connack.returnCode === 5);
    });

    it("requires the token of applications as well, with any user name", async () => {
        platform = await TestPlatform.start({ token: "s3cret" });
        assert.equal(await answerTo("a:org:app", { username: "a-org-key", password: token }), 0);
        assert.equal(await answerTo("a:org:app", { username: "a-org-key", password: Buffer.from("no") }), 5);
    });

    it("requires a gateway's own token if one is set", async () => {
        platform = await TestPlatform.start();
        platform.simulator.organisation("org").registry.setRights("mygw", "gw1", { token: "own" });
        assert.equal(await answerTo("g:org:mygw:gw1"), 5);
        assert.equal(await answerTo("g:org:mygw:gw1", { password: Buffer.from("own") }), 0);
        assert.equal(await answerTo("g:org:mygw:gw2"), 0);
    });

    it("accepts a blank token and no password at all when no token is set", async () => {
        platform = await TestPlatform.start();
        assert.equal(await answerTo("g:org:mygw:gw1", { password: Buffer.alloc(0) }), 0);
        const client = await platform.open();
        client.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clientId: "g:org:mygw:gw2", clean: true, keepalive: 0 });
        const connack = await client.next((packet) => packet.cmd === "connack");
        assert.ok(connack.cmd === "connack" && connack.returnCode === 0);
    });

    it("answers a disabled gateway with CONNACK 5 and closes its connection", async () => {
        platform = await TestPlatform.start();
        const client = await platform.connect("g:org:mygw:gw1");
        platform.simulator.organisation("org").setDisabled("mygw", "gw1", true);
        await client.whenClosed();
        assert.equal(await answerTo("g:org:mygw:gw1"), 5);
        platform.simulator.organisation("org").setDisabled("mygw", "gw1", false);
        assert.equal(await answerTo("g:org:mygw:gw1"), 0);
    });

    const will = (topic: string): NonNullable<IConnectPacket["will"]> => ({ topic, payload: Buffer.from("gone"), qos: 1, retain: true });
    for (const topic of [
        "foo/will",
        "iot-2/evt/s/fmt/json",
        "iot-2/type/mygw/id/gw1/cmd/x/fmt/json",
        "iot-2/type/mygw/id/gw1/evt/s/fmt/json/",
    ]) {
        it(`closes without CONNACK for the will ${topic}`, async () => {
            platform = await TestPlatform.start();
            assert.equal(await answerTo("g:org:mygw:gw1", { will: will(topic) }), "closed");
        });
    }

    it("publishes a will on a lost connection, not retained, and not after DISCONNECT", async () => {
        platform = await TestPlatform.start();
        const application = await platform.application();
        const topic = "iot-2/type/mygw/id/gw1/evt/state/fmt/text";
        const clean = await platform.connect("g:org:mygw:gw1", { will: will(topic) });
        clean.disconnect();
        await clean.whenClosed();
        const lost = await platform.connect("g:org:mygw:gw1", { will: will(topic.replace("state", "lost")) });
        lost.destroy();
        const message = await application.message();
        assert.deepEqual([message.topic, message.payload.toString(), message.retain], [topic.replace("state", "lost"), "gone", false]);
    });

    it("publishes a will for another device without registering it", async () => {
        platform = await TestPlatform.start();
        const application = await platform.application();
        const gateway = await platform.connect("g:org:mygw:gw1", { will: will("iot-2/type/other/id/d é/evt/lost/fmt/text") });
        gateway.destroy();
        assert.equal((await application.message()).topic, "iot-2/type/other/id/d é/evt/lost/fmt/text");
        assert.equal(platform.simulator.organisation("org").registry.device("other", "d é"), undefined);
    });

    it("silently removes a will for a device outside the resource group", async () => {
        platform = await TestPlatform.start();
        platform.simulator.organisation("org").registry.setRights("mygw", "gw1", { group: new Set() });
        const application = await platform.application();
        const gateway = await platform.connect("g:org:mygw:gw1", { will: will("iot-2/type/other/id/d1/evt/lost/fmt/text") });
        gateway.destroy();
        const again = await platform.connect("g:org:mygw:gw1");
        await again.publish("iot-2/type/mygw/id/gw1/evt/next/fmt/json");
        assert.equal((await application.message()).topic, "iot-2/type/mygw/id/gw1/evt/next/fmt/json");
    });

    it("admits the newer client with the same id and closes the older one silently", async () => {
        platform = await TestPlatform.start();
        const older = await platform.connect("g:org:mygw:gw1");
        const newer = await platform.connect("g:org:mygw:gw1");
        await older.whenClosed();
        assert.deepEqual(older.received, []);
        await newer.publish("iot-2/type/mygw/id/gw1/evt/e/fmt/json");
    });

    it("closes a client that is silent for one and a half times its keep-alive", async () => {
        platform = await TestPlatform.start();
        const client = await platform.connect("g:org:mygw:gw1", { keepalive: 1 });
        await client.whenClosed();
    });

    it("closes a connection that sends no CONNECT in time", async () => {
        platform = await TestPlatform.start({ connectTimeoutMs: 50 });
        const client = await platform.open();
        await client.whenClosed();
    });

    it("closes without an answer when the first packet is not CONNECT", async () => {
        platform = await TestPlatform.start();
        const client = await platform.open();
        client.send({ cmd: "pingreq" });
        await client.whenClosed();
        assert.deepEqual(client.received, []);
    });

    it("closes at a second CONNECT", async () => {
        platform = await TestPlatform.start();
        const client = await platform.connect("g:org:mygw:gw1");
        assert.equal(await client.hello("g:org:mygw:gw1"), "closed");
    });

    it("closes without an answer at protocol level 6", async () => {
        platform = await TestPlatform.start();
        const client = await platform.open();
        client.sendBytes(Buffer.from("100c00044d51545406020000000000", "hex").subarray(0, 14));
        await client.whenClosed();
        assert.deepEqual(client.received, []);
    });

    it("answers MQTT 5 with CONNACK 1", async () => {
        platform = await TestPlatform.start();
        const client = await platform.open();
        client.sendBytes(Buffer.from("100d00044d5154540502000000000000", "hex").subarray(0, 15));
        const connack = await client.next((packet) => packet.cmd === "connack");
        assert.ok(connack.cmd === "connack" && connack.returnCode === 1);
        await client.whenClosed();
    });
});
