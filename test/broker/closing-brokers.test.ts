import assert from "node:assert/strict";
import type { GatewayError } from "../../src/errors";
import { acceptAndClose, close, type Rule } from "../support/doubles/broker-script";
import { FastClock } from "../support/doubles/fast-clock";
import { ListeningBroker } from "../support/doubles/listening-broker";
import { TestResponder } from "../support/doubles/management-bench";
import { Mosquitto } from "../support/drivers/mosquitto";
import { commandSubscriber, RecordedGateway } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

const deniedTopic = "iot-2/type/t/id/bad/evt/e/fmt/json";

describe("brokers that close the connection at a message they do not want", () => {
    let gateway: RecordedGateway;

    afterEach(() => gateway.close());

    const delivered = () => [...gateway.outcomes.values()].filter((outcome) => outcome === "done").length;

    describe("Mosquitto", () => {
        let broker: Mosquitto;

        afterEach(() => broker.stop());

        it("an event that is too large delays no event of another device", async () => {
            broker = await Mosquitto.start({ general: ["allow_anonymous true", "max_packet_size 20000"] });
            gateway = new RecordedGateway(broker.port, { clock: new FastClock(10) });
            const large = gateway.publish("large", 0, { payload: `"${"x".repeat(30_000)}"` });
            for (let value = 0; value < 60; value++) gateway.publish(`d${value % 10}`, value);
            gateway.gateway.start();
            await waitFor(() => delivered() === 60, "the other events");
            assert.equal(gateway.outcomes.get(large), undefined);
            assert.deepEqual(
                gateway.problems.filter(({ code }) => code === "GW_TAKEN_OVER"),
                [],
            );
        });

        it("a topic that its access control denies delays no event of another device", async () => {
            broker = await Mosquitto.start({
                general: ["allow_anonymous true", "acl_file {dir}/acl"],
                files: { acl: `user use-token-auth\ntopic readwrite #\ntopic deny ${deniedTopic}\n` },
            });
            gateway = new RecordedGateway(broker.port, { clock: new FastClock(10) });
            for (let value = 0; value < 500; value++) gateway.publish(value % 50 === 7 ? "bad" : `d${value % 10}`, value);
            gateway.gateway.start();
            await waitFor(() => delivered() >= 490, "the other events");
            assert.deepEqual(
                gateway.problems.filter(({ code }) => code === "GW_TAKEN_OVER"),
                [],
            );
        });
    });

    describe("a scripted broker", () => {
        let broker: ListeningBroker;

        async function start(rules: Rule[], factor: number): Promise<void> {
            broker = await ListeningBroker.start({ rules });
            gateway = new RecordedGateway(broker.port, { clock: new FastClock(factor) });
        }

        afterEach(() => broker.stop());

        for (const [name, reaction] of [
            ["closes without an answer", close],
            ["acknowledges and closes", acceptAndClose],
        ] as const) {
            it(`an event after which it ${name} is given up in the end, and the others arrive`, async () => {
                await start([{ cmd: "publish", topic: deniedTopic, reaction }], 100);
                for (let value = 0; value < 100; value++) gateway.publish(value % 10 === 4 ? "bad" : `d${value % 10}`, value);
                gateway.gateway.start();
                await waitFor(() => new Set(broker.taken.map(({ payload }) => payload.toString())).size === 90, "the other events");
                assert.deepEqual(
                    [...gateway.outcomes.values()].filter((outcome) => outcome !== "done"),
                    [],
                );
                await waitFor(() => [...gateway.outcomes.values()].includes("GW_UNDELIVERABLE"), "an event to be given up");
                for (let value = 0; value < 5; value++) gateway.publish("d1", value);
                await waitFor(() => delivered() >= 95, "later events");
                assert.ok(gateway.problems.every(({ code }) => code === "GW_NETWORK"));
            });
        }

        it("a filter at which it closes is left out, and its node reports it", async () => {
            const filter = "iot-2/type/t/id/bad/cmd/+/fmt/+";
            await start([{ cmd: "subscribe", filter, reaction: close }], 20);
            const rejections: (string | undefined)[] = [];
            for (const deviceId of ["bad", "good"]) {
                const rejectionChanged = (error: GatewayError | undefined) => rejections.push(`${deviceId} ${error?.code}`);
                const selection = { target: "device", parts: { typeId: "t", deviceId } } as const;
                gateway.gateway.onCommand(commandSubscriber((command) => gateway.commands.push(command), { selection, rejectionChanged }));
            }
            for (let value = 0; value < 20; value++) gateway.publish(`d${value}`, value);
            gateway.gateway.start();
            await waitFor(() => delivered() === 20, "the events");
            await waitFor(() => rejections.length > 0, "the node to be notified");
            assert.deepEqual(rejections, ["bad GW_SUBSCRIBE_REFUSED"]);
            await waitFor(() => broker.session("g:org:gw:gw1")?.qosFor("iot-2/type/t/id/good/cmd/x/fmt/json") === 1, "the other filter");
            broker.publish("iot-2/type/t/id/good/cmd/x/fmt/json", "{}", { qos: 1 });
            await waitFor(() => gateway.commands.length > 0, "the command");
        });

        it("an event of QoS 0 at which it closes fails, and the others arrive", async () => {
            await start([{ cmd: "publish", topic: deniedTopic, reaction: close }], 20);
            gateway.gateway.start();
            await waitFor(() => gateway.isOnline, "the gateway to be online");
            let value = 0;
            // One that waits for its test fails as well when a newer one comes: the warning says that the search has ended.
            await waitFor(() => {
                if (!gateway.isOnline) return false;
                gateway.publish("bad", value, { qos: 0, messageId: `bad ${value}` });
                gateway.publish("good", value, { qos: 0 });
                value += 1;
                return gateway.warnings.some((text) => text.includes(deniedTopic));
            }, "the warning");
            const ends = [...gateway.outcomes].filter(([message]) => message.startsWith("bad")).map(([, outcome]) => outcome);
            assert.ok(ends.includes("GW_DEVICE_HELD"), ends.join());
            await waitFor(() => gateway.isOnline, "the next connection");
            const connections = broker.connectionCount;
            // One of them may be tested again meanwhile, and ends a connection.
            for (let later = 0; later < 50; later++) {
                const bad = gateway.publish("bad", later, { qos: 0, messageId: `later ${later}` });
                const good = gateway.publish("good", later, { qos: 1 });
                assert.match(await gateway.outcome(bad), /^GW_(DEVICE_HELD|NOT_CONNECTED)$/);
                assert.equal(await gateway.outcome(good), "done");
            }
            assert.ok(broker.connectionCount <= connections + 3, `${broker.connectionCount - connections} more connections`);
        });

        it("a device management message at which it closes is left out, and the events arrive", async () => {
            const topic = "iotdevice-1/type/gw/id/gw1/mgmt/manage";
            await start([{ cmd: "publish", topic, reaction: close }], 20);
            const attach: ConstructorParameters<typeof TestResponder>[0] = (settings, listener) => {
                const { input, close: detach } = gateway.gateway.respond(settings, { ...listener, rejectionChanged: () => undefined });
                return { input, detach };
            };
            const responder = new TestResponder(attach, { target: { kind: "gateway" }, manage: true, lifetimeS: 3600 });
            gateway.gateway.start();
            gateway.gateway.flowsStarted();
            await waitFor(() => responder.raised.length > 0, "the error of the responder");
            assert.deepEqual(
                responder.raised.map(({ code }) => code),
                ["GW_DM_REJECTED"],
            );
            for (let value = 0; value < 20; value++) assert.equal(await gateway.outcome(gateway.publish("good", value)), "done");
        });

        it("the subscription of notifications is left out as well, so that events flow", async () => {
            await start([{ cmd: "subscribe", filter: "iot-2/type/gw/id/gw1/notify", reaction: close }], 20);
            for (let value = 0; value < 20; value++) gateway.publish(`d${value}`, value);
            gateway.gateway.start();
            await waitFor(() => delivered() === 20, "the events");
        });
    });
});
