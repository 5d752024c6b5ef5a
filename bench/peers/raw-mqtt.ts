// The lower bound: MQTT.js in a process of its own, publishing topics and texts that are ready, counting what it
// receives, or answering each command with an event.
import { connect } from "mqtt";
import { Counter } from "../support/counter";
import { eventTopicOf, payloadOf } from "../support/devices";
import { Feeder } from "../support/feeder";
import { serveProcess } from "../support/process-memory";
import { serve } from "../support/serve";

const [port, filter, mode] = process.argv.slice(2);
const client = connect(`mqtt://127.0.0.1:${port}`, { clientId: "bench:raw", protocolVersion: 4 });
const counter = new Counter();

serveProcess();
serve("publish", ({ devices, payloadBytes, qos, ...load }) => {
    const topics = Array.from({ length: devices }, (_, device) => eventTopicOf(device));
    const payload = JSON.stringify(payloadOf(0, payloadBytes));
    const { feeder, spent } = Feeder.start(load, (index) => {
        client.publish(topics[index % devices] ?? "", payload, { qos }, (error) => feeder.completed(error ?? undefined));
    });
    return spent;
});

client.on("message", (topic, payload) => {
    if (mode === "echo") client.publish(topic.replace(/cmd\/[^/]+/, "evt/status"), payload, { qos: 1 });
    else counter.received();
});
client.once("connect", () => {
    if (filter) client.subscribe(filter, { qos: 1 }, () => process.send?.("ready"));
    else process.send?.("ready");
});
process.once("disconnect", () => client.end(true));
