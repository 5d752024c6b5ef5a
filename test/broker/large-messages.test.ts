import assert from "node:assert/strict";
import type { ReceivedCommand } from "../../src/gateway/inbound/command";
import { ListeningBroker } from "../support/doubles/listening-broker";
import { WebSocketBridge } from "../support/doubles/websocket-bridge";
import { commandSubscriber, RecordedGateway } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

const commandTopic = (deviceId: string) => `iot-2/type/t/id/${deviceId}/cmd/c/fmt/bin`;

describe("messages that are larger than the gateway takes", () => {
    let broker: ListeningBroker;
    let member: RecordedGateway;
    let commands: ReceivedCommand[];

    /** The listener and the connection of a gateway with a durable session. */
    beforeEach(async () => {
        broker = await ListeningBroker.start();
        member = new RecordedGateway(broker.port, { cleanSession: false });
        commands = [];
        const selection = { target: "device", parts: { deviceId: "d1" } } as const;
        member.gateway.onCommand(commandSubscriber((command) => commands.push(command), { selection, qos: 2 }));
        member.gateway.start();
        await waitFor(() => broker.count("subscribe") === 2, "the subscriptions");
    });

    afterEach(async () => {
        await member.close();
        await broker.stop();
    });

    for (const qos of [1, 2] as const) {
        it(`a command of QoS ${qos} over the limit raises an error on the node, and delays neither commands nor events`, async () => {
            broker.publish(commandTopic("d1"), "before", { qos });
            broker.publish(commandTopic("d1"), Buffer.alloc(17_000_000), { qos });
            broker.publish(commandTopic("d1"), "after", { qos });
            for (let value = 0; value < 40; value++) member.publish("d2", value);
            await waitFor(() => commands.length === 3, "three commands");
            await waitFor(() => member.outcomes.size === 40, "all events to be acknowledged");
            await waitFor(() => broker.session("g:org:gw:gw1")?.outstanding === 0, "all commands to be acknowledged");
            assert.deepEqual(
                commands.map(({ payload, oversizedBytes = 0 }) => [payload.toString(), oversizedBytes > 17_000_000]),
                [
                    ["before", false],
                    ["", true],
                    ["after", false],
                ],
            );
            assert.equal(broker.connectionCount, 1);
            assert.deepEqual(member.warnings, []);
        });
    }

    it("a command over the limit in one frame of a websocket raises an error on the node, and delays nothing", async () => {
        const bridge = await WebSocketBridge.to(broker.port, { wholePackets: true });
        const other = new RecordedGateway(bridge.port, { cleanSession: false, transport: "ws", deviceId: "gw2" });
        try {
            other.receiveCommands();
            other.gateway.start();
            await waitFor(() => broker.count("subscribe") === 4, "the subscriptions");
            for (const payload of ["before", Buffer.alloc(17_000_000), "after"]) broker.publish(commandTopic("d2"), payload, { qos: 1 });
            for (let value = 0; value < 40; value++) other.publish("d2", value);
            await waitFor(() => other.commands.length === 3, "three commands");
            await waitFor(() => other.outcomes.size === 40, "all events to be acknowledged");
            assert.deepEqual(
                other.commands.map(({ payload, oversizedBytes = 0 }) => [payload.toString(), oversizedBytes > 17_000_000]),
                [
                    ["before", false],
                    ["", true],
                    ["after", false],
                ],
            );
            assert.equal(broker.connectionCount, 2);
        } finally {
            await other.close();
            bridge.close();
        }
    });

    it("a message over the limit that no node takes is dropped with one line in the log", async () => {
        const session = broker.session("g:org:gw:gw1");
        session?.subscribe({ topic: "#", qos: 1 });
        broker.publish(commandTopic("other"), Buffer.alloc(17_000_000), { qos: 1 });
        broker.publish("iotdm-1/type/t/id/d1/mgmt/initiate/device/reboot", Buffer.alloc(17_000_000), { qos: 1 });
        await waitFor(() => session?.outstanding === 0, "both to be acknowledged");
        assert.equal(member.warnings.length, 2);
        assert.match(member.warnings[0] ?? "", /^A message on iot-2\/type\/t\/id\/other\/cmd\/c\/fmt\/bin has 17000\d\d\d bytes/);
        assert.equal(broker.connectionCount, 1);
    });
});
