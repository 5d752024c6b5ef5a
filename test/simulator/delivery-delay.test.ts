import assert from "node:assert/strict";
import type { SimulatorOptions } from "../../src/simulator/simulator";
import { SkippingClock } from "../support/doubles/skipping-clock";
import { TestPlatform } from "./support/platform";
import type { RawClient } from "./support/raw-client";

const narrow = "iot-2/type/sensor/id/s1/cmd/+/fmt/+";
const wide = "iot-2/type/+/id/+/cmd/+/fmt/+";
const command = (id: number | string): string => `iot-2/type/sensor/id/s1/cmd/${id}/fmt/json`;

describe("a delayed delivery", () => {
    let platform: TestPlatform;
    let clock: SkippingClock;
    let gateway: RawClient;
    afterEach(() => platform.close());

    async function start(options: SimulatorOptions = {}): Promise<void> {
        clock = new SkippingClock();
        platform = await TestPlatform.start({ clock, deliveryDelayMs: 1_000, ...options });
        gateway = await platform.connect("g:org:mygw:gw1");
    }

    function send(...ids: (number | string)[]): void {
        for (const id of ids) platform.simulator.publish("org", command(id), "{}");
    }

    /** The commands that have arrived. */
    async function arrived(): Promise<string[]> {
        const packets = await gateway.settle();
        return packets.flatMap((packet) => (packet.cmd === "publish" ? (packet.topic.split("/")[6] ?? "") : []));
    }

    it("keeps the messages of a filter in order until they are due", async () => {
        await start();
        await gateway.subscribe(narrow);
        send(1);
        clock.skip(500);
        send(2);
        assert.deepEqual(await arrived(), []);
        clock.skip(500);
        assert.deepEqual(await arrived(), ["1"]);
        clock.skip(500);
        assert.deepEqual(await arrived(), ["2"]);
    });

    it("loses at UNSUBSCRIBE what was accepted for the filter, although the same segment subscribes to a wider one", async () => {
        await start();
        await gateway.subscribe(narrow);
        send(1, 2);
        gateway.send({ cmd: "subscribe", messageId: 500, subscriptions: [{ topic: wide, qos: 1 }] });
        gateway.send({ cmd: "unsubscribe", messageId: 501, unsubscriptions: [narrow] });
        await gateway.next(({ cmd }) => cmd === "unsuback");
        send(3);
        clock.skip(1_000);
        await gateway.next(({ cmd }) => cmd === "suback");
        assert.deepEqual(await arrived(), ["3"]);
    });

    it("loses nothing when the old filter goes after its messages are due", async () => {
        await start();
        await gateway.subscribe(narrow);
        send(1);
        await gateway.subscribe(wide);
        send(2);
        clock.skip(1_000);
        await gateway.unsubscribe(narrow);
        send(3);
        clock.skip(1_000);
        assert.deepEqual((await arrived()).sort(), ["1", "2", "2", "3"]);
    });

    it("goes on over a reconnect of a durable session", async () => {
        await start();
        const durable = await platform.connect("g:org:mygw:gw2", { clean: false });
        await durable.subscribe(narrow);
        send(1);
        durable.destroy();
        await durable.whenClosed();
        clock.skip(500);
        gateway = await platform.connect("g:org:mygw:gw2", { clean: false });
        assert.deepEqual(await arrived(), []);
        clock.skip(500);
        assert.deepEqual(await arrived(), ["1"]);
    });

    it("can concern one client and topic only", async () => {
        await start({ deliveryDelayMs: 0 });
        platform.simulator.faults.add({ fault: "delayDelivery", delayMs: 1_000, clientId: "*:gw1", topic: "*/cmd/late/*", times: 1 });
        const other = await platform.connect("g:org:mygw:gw2");
        for (const client of [gateway, other]) await client.subscribe(["iot-2/mon", wide]);
        await gateway.subscribe("iot-2/type/sensor/id/s1/cmd/prompt/fmt/json");
        send("late", "prompt");
        assert.equal((await other.message()).topic, command("late"));
        assert.deepEqual(await arrived(), ["prompt"], "the one of the filter in whose queue nothing waits");
        clock.skip(1_000);
        assert.deepEqual(await arrived(), ["late", "prompt"]);
        send("late");
        assert.deepEqual(await arrived(), ["late"]);
    });
});
