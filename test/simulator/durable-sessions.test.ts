import assert from "node:assert/strict";
import { TestPlatform } from "./support/platform";

describe("durable sessions", () => {
    let platform: TestPlatform;
    beforeEach(async () => {
        platform = await TestPlatform.start();
    });
    afterEach(() => platform.close());

    const all = "iot-2/type/+/id/+/cmd/+/fmt/+";
    const command = (id: string): string => `iot-2/type/mygw/id/gw1/cmd/${id}/fmt/json`;

    it("deliver queued messages right after CONNACK, before any SUBSCRIBE, in order, QoS 0 included", async () => {
        const application = await platform.connect("a:org:app");
        const first = await platform.connect("g:org:mygw:gw1", { clean: false });
        await first.subscribe(all);
        first.disconnect();
        await first.whenClosed();
        await application.publish(command("c1"), "1");
        await application.publish(command("c2"), "2", 0);
        await application.publish(command("c3"), "3", 2);
        await application.settle();
        const again = await platform.open();
        await again.hello("g:org:mygw:gw1", { clean: false });
        const messages = [await again.message(), await again.message(), await again.message()];
        assert.deepEqual(
            messages.map(({ topic, qos }) => [topic, qos]),
            [
                [command("c1"), 1],
                [command("c2"), 0],
                [command("c3"), 1],
            ],
        );
    });

    it("durable sessions are announced in CONNACK if they were present", async () => {
        const flags: boolean[] = [];
        for (const clean of [false, false, true, false]) {
            const client = await platform.open();
            client.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clientId: "g:org:mygw:gw1", clean, keepalive: 0 });
            const connack = await client.next((packet) => packet.cmd === "connack");
            flags.push(connack.cmd === "connack" && connack.sessionPresent);
            client.disconnect();
            await client.whenClosed();
        }
        assert.deepEqual(flags, [false, true, false, false]);
    });

    it("send an unacknowledged message again with the DUP flag and the same id", async () => {
        const application = await platform.connect("a:org:app");
        const first = await platform.connect("g:org:mygw:gw1", { clean: false });
        await first.subscribe(all);
        await application.publish(command("c1"), "1");
        const sent = await first.next((packet) => packet.cmd === "publish");
        first.destroy();
        await first.whenClosed();
        const again = await platform.open();
        await again.hello("g:org:mygw:gw1", { clean: false });
        const repeated = await again.message();
        assert.deepEqual([repeated.dup, repeated.messageId], [true, sent.cmd === "publish" ? sent.messageId : 0]);
    });

    it("lose a filter at UNSUBSCRIBE, and everything at a clean connect", async () => {
        const application = await platform.connect("a:org:app");
        const first = await platform.connect("g:org:mygw:gw1", { clean: false });
        await first.subscribe([all, "iot-2/type/+/id/+/notify"]);
        await first.unsubscribe(all);
        first.disconnect();
        await first.whenClosed();
        await application.publish(command("c1"), "1");
        const again = await platform.connect("g:org:mygw:gw1", { clean: false });
        await again.subscribe(all);
        assert.deepEqual(await again.settle(), []);
        const clean = await platform.connect("g:org:mygw:gw1");
        await application.publish(command("c2"), "2");
        assert.deepEqual(await clean.settle(), []);
    });

    it("keep the newest messages of each filter, as many as the queue depth", async () => {
        await platform.close();
        platform = await TestPlatform.start({ queueDepth: 2 });
        const application = await platform.connect("a:org:app");
        const first = await platform.connect("g:org:mygw:gw1", { clean: false });
        await first.subscribe(all);
        first.disconnect();
        await first.whenClosed();
        for (const id of ["c1", "c2", "c3"]) await application.publish(command(id), id);
        const again = await platform.connect("g:org:mygw:gw1", { clean: false });
        assert.deepEqual([(await again.message()).topic, (await again.message()).topic], [command("c2"), command("c3")]);
    });

    it("discard what waited for a filter of QoS 0 when the connection ends", async () => {
        const deaf = await platform.connect("g:org:mygw:gw1", { clean: false });
        await deaf.subscribe(all, 0);
        deaf.pause();
        for (let index = 0; index < 200; index++) platform.simulator.publish("org", command("big"), Buffer.alloc(100_000));
        const subscriptions = platform.simulator.organisation("org").sessions.get("g:org:mygw:gw1")?.subscriptions.values() ?? [];
        const [subscription] = [...subscriptions];
        assert.ok(subscription && subscription.length > 0);
        const again = await platform.connect("g:org:mygw:gw1", { clean: false });
        assert.deepEqual([subscription.length, (await again.settle()).length], [0, 0]);
        deaf.resume();
    });

    it("move to the newer connection at a take-over, so that nothing is lost", async () => {
        const application = await platform.connect("a:org:app");
        const older = await platform.connect("g:org:mygw:gw1", { clean: false });
        await older.subscribe(all);
        await application.publish(command("c1"), "1");
        await older.next((packet) => packet.cmd === "publish");
        const newer = await platform.connect("g:org:mygw:gw1", { clean: false });
        assert.equal((await newer.message()).topic, command("c1"));
    });
});
