// The test layers. Three run at a time, so the slowest come first. Each is a folder under test/, or the files of one with certain names.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const nodeRed4 = { NODE_RED_PATH: require.resolve("node-red-4") };
const nodeRed5 = { NODE_RED_PATH: require.resolve("node-red") };
/** The newest MQTT.js, which a later version of the package may allow. */
const newestMqtt = { MQTT_MODULE: "mqtt-newest", NODE_OPTIONS: `--require=${require.resolve("./other-mqtt.cjs")}` };

/** What a random history finds does not depend on the version: they are many in one layer only. */
const fewerHistories = { MODEL_RUNS: "100" };

/** The tests of the connection against a real broker. */
const connectionTests = ["connection", "qos-2", "websocket"].map((name) => `broker/${name}`);

/** The oldest Node.js that the package runs on, and the oldest with an outbox on disk. Without a version a layer runs on that of the scripts. */
const oldest = "20.19.0";
const oldestWithDisk = "22.13.0";

export const layers = [
    { name: "reliability", directory: "reliability", needs: ["mosquitto"] },
    { name: "e2e", directory: "e2e", tests: "!(panel*)", needs: ["chromium", "mosquitto"] },
    { name: "broker", directory: "broker", needs: ["mosquitto"] },
    { name: "e2e-panel", directory: "e2e", tests: "panel*", needs: ["chromium", "mosquitto"] },
    { name: "unit", directory: "unit" },
    { name: "unit-node20", directory: "unit", node: oldest, env: fewerHistories },
    { name: "outbox-node22", directory: "unit/outbox", node: oldestWithDisk, env: fewerHistories },
    { name: "connection-newest-mqtt", directory: "unit/connection", files: connectionTests, env: newestMqtt, needs: ["mosquitto"] },
    { name: "simulation", directory: "simulation" },
    { name: "simulator", directory: "simulator", needs: ["mosquitto"] },
    { name: "brokers", directory: "brokers", needs: ["mosquitto"] },
    { name: "nodes-red4-node20", directory: "nodes", node: oldest, env: nodeRed4, needs: ["mosquitto"] },
    { name: "nodes-red5-node22", directory: "nodes", node: oldestWithDisk, env: nodeRed5, needs: ["mosquitto"] },
    { name: "editor", directory: "editor" },
    { name: "package", directory: "package" },
];
