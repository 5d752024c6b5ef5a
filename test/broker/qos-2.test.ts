import assert from "node:assert/strict";
import { connectAsync } from "mqtt";
import { Mosquitto } from "../support/drivers/mosquitto";
import { RecordedGateway } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

describe("events of QoS 2 on Mosquitto with its defaults", () => {
    it("all arrive, although the broker drops what exceeds 20 in flight", async () => {
        const broker = await Mosquitto.start();
        const application = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { clientId: "application" });
        const received = new Set<number>();
        application.on("message", (_topic, payload) => received.add(Number(payload.toString())));
        await application.subscribeAsync("iot-2/type/+/id/+/evt/+/fmt/+", { qos: 1 });
        const gateway = new RecordedGateway(broker.port);
        try {
            gateway.gateway.start();
            await waitFor(() => gateway.isOnline, "the connection");
            for (let value = 0; value < 200; value++) gateway.publish(`d${value % 5}`, value, { qos: 2 });
            await waitFor(() => gateway.outcomes.size === 200, "all events to be done");
            await waitFor(() => received.size === 200, "all events to arrive").catch(() => undefined);
            assert.equal(received.size, 200);
        } finally {
            await gateway.close();
            await application.endAsync(true);
            await broker.stop();
        }
    });
});
