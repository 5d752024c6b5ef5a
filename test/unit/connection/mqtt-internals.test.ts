import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import * as mqtt from "mqtt";
import { assertMqttInternals } from "../../../src/connection/mqtt-internals";
import { throwsCode } from "../../support/assertions";
import { requireRecord } from "../../support/records";

describe("the internals of MQTT.js that are used", () => {
    it("the installed MQTT.js has them", () => {
        assert.doesNotThrow(() => assertMqttInternals(mqtt));
    });

    it("a MQTT.js without a method that is used is GW_CONFIG naming it, and the remedy", () => {
        class Later extends mqtt.MqttClient {}
        Reflect.set(Later.prototype, "handleMessage", undefined);
        const { message } = throwsCode("GW_CONFIG", () => assertMqttInternals({ MqttClient: Later }));
        assert.match(message, /MqttClient\.handleMessage is missing\. Install the package again/);
        for (const other of [{}, { MqttClient: {} }]) {
            assert.match(throwsCode("GW_CONFIG", () => assertMqttInternals(other)).message, /: MqttClient, MqttClient\.handleMessage/);
        }
    });

    it("the range of mqtt allows no version that the internals were not tried with", () => {
        const { dependencies, devDependencies } = requireRecord(JSON.parse(readFileSync("package.json", "utf8")));
        const range = String(requireRecord(dependencies).mqtt);
        assert.match(range, /^~\d+\.\d+\.\d+$/);
        assert.match(String(requireRecord(devDependencies)["mqtt-newest"]), /^npm:mqtt@\^/);
    });

    it("the tests of the connection load the newest MQTT.js where the layer says so", () => {
        const module = process.env.MQTT_MODULE ?? "mqtt";
        const loaded = path.dirname(require.resolve("mqtt"));
        assert.ok(loaded.includes(`${path.sep}node_modules${path.sep}${module}${path.sep}`), loaded);
    });
});
