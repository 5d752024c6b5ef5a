import assert from "node:assert/strict";
import fc from "fast-check";
import {
    commandFilter,
    eventTopic,
    managementTopic,
    notifyTopic,
    parseCommandTopic,
    parseManagementTopic,
} from "../../../src/protocol/topic";
import { anyDevice, anyId, anyLevel } from "../../support/arbitraries";

const device = { typeId: "mydevice", deviceId: "device1" };
const gateway = { typeId: "mygw", deviceId: "gw1" };

describe("topics", () => {
    it("publishes events of the gateway and of devices on the long form only", () => {
        assert.equal(eventTopic(device, "status", "json"), "iot-2/type/mydevice/id/device1/evt/status/fmt/json");
        assert.equal(eventTopic(gateway, "status", "json"), "iot-2/type/mygw/id/gw1/evt/status/fmt/json");
    });

    it("maps each absent part of a command filter to + independently", () => {
        assert.equal(commandFilter({}), "iot-2/type/+/id/+/cmd/+/fmt/+");
        assert.equal(commandFilter(device), "iot-2/type/mydevice/id/device1/cmd/+/fmt/+");
        assert.equal(commandFilter({ typeId: "mydevice" }), "iot-2/type/mydevice/id/+/cmd/+/fmt/+");
        assert.equal(commandFilter({ commandId: "reboot", format: "json" }), "iot-2/type/+/id/+/cmd/reboot/fmt/json");
    });

    it("parses a command topic by levels", () => {
        assert.deepEqual(parseCommandTopic("iot-2/type/mydevice/id/device1/cmd/reboot/fmt/json".split("/")), {
            ...device,
            commandId: "reboot",
            format: "json",
        });
    });

    for (const topic of [
        "iot-2/type/mydevice/id/device1/cmd/reboot/now/fmt/json",
        "iot-2/type/mydevice/id/device1/cmd/reboot/fmt/json/",
        "iot-2/type/mydevice/id/device1/cmd/reboot/fmt",
        "iot-2/type/mydevice/id/device1/cmd//fmt/json",
        "iot-2/type//id/device1/cmd/reboot/fmt/json",
        "iot-2/type/mydevice/id/device1/evt/reboot/fmt/json",
        "IOT-2/type/mydevice/id/device1/cmd/reboot/fmt/json",
        "iot-2/cmd/reboot/fmt/json",
        "/iot-2/type/mydevice/id/device1/cmd/reboot/fmt/json",
        "",
        "/",
    ]) {
        it(`ignores the foreign or malformed topic ${JSON.stringify(topic)}`, () =>
            assert.equal(parseCommandTopic(topic.split("/")), undefined));
    }

    it("names the gateway's own notification topic", () => {
        assert.equal(notifyTopic(gateway), "iot-2/type/mygw/id/gw1/notify");
    });

    it("sends device management messages on the gateway form, without a trailing slash", () => {
        assert.equal(managementTopic(device, "response"), "iotdevice-1/type/mydevice/id/device1/response");
        assert.equal(managementTopic(device, "mgmt/manage"), "iotdevice-1/type/mydevice/id/device1/mgmt/manage");
    });

    it("parses device management topics of any depth and nothing else", () => {
        assert.deepEqual(parseManagementTopic("iotdm-1/type/mydevice/id/device1/mgmt/initiate/device/reboot"), {
            ...device,
            levels: ["mgmt", "initiate", "device", "reboot"],
        });
        for (const topic of ["iotdm-1/response", "iotdm-1/type/a/id/b", "iotdm-1/type/a/id/b/", "iotdm-1/type//id/b/response", "x", ""]) {
            assert.equal(parseManagementTopic(topic), undefined, topic);
        }
        // There is no such device, and nothing could be answered.
        for (const id of ["a b", "\u0000", "x".repeat(37), "x".repeat(60_000)]) {
            assert.equal(parseManagementTopic(`iotdm-1/type/t/id/${id}/observe`), undefined, id);
            assert.equal(parseManagementTopic(`iotdm-1/type/${id}/id/d/observe`), undefined, id);
        }
    });

    it("builds any legal event topic and reads any legal command topic, level by level", () => {
        fc.assert(
            fc.property(anyDevice, anyLevel, anyLevel, (address, id, format) => {
                const { typeId, deviceId } = address;
                const levels = ["iot-2", "type", typeId, "id", deviceId, "evt", id, "fmt", format];
                assert.deepEqual(eventTopic(address, id, format).split("/"), levels);
                assert.deepEqual(parseCommandTopic(commandFilter({ ...address, commandId: id, format }).split("/")), {
                    ...address,
                    commandId: id,
                    format,
                });
            }),
        );
    });

    it("never publishes on a topic with an empty level, a trailing slash or a wildcard", () => {
        fc.assert(
            fc.property(anyDevice, anyLevel, anyLevel, (address, id, format) => {
                for (const topic of [eventTopic(address, id, format), notifyTopic(address), managementTopic(address, "response")]) {
                    assert.ok(
                        topic.split("/").every((level) => level !== "" && !/[+#]/.test(level)),
                        topic,
                    );
                }
            }),
        );
    });

    it("never throws, whatever the topic", () => {
        fc.assert(
            fc.property(fc.string(), (topic) => {
                parseCommandTopic(topic.split("/"));
                parseManagementTopic(topic);
            }),
        );
    });

    it("gives command filters as many levels as a topic has, whatever parts are absent", () => {
        const parts = fc.record({ typeId: anyId, deviceId: anyId, commandId: anyLevel, format: anyLevel }, { requiredKeys: [] });
        fc.assert(
            fc.property(parts, (wanted) => {
                const levels = commandFilter(wanted).split("/");
                assert.equal(levels.length, 9);
                assert.ok(levels.every((level) => level !== "" && !level.includes("#") && (level === "+" || !level.includes("+"))));
            }),
        );
    });
});
