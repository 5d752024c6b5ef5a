import assert from "node:assert/strict";
import { parseResponderSettings } from "../../../src/node-red/dm-responder";
import { platformNaming } from "../../../src/protocol/gateway-topics";
import { IdParser } from "../../../src/protocol/id-parser";
import { idRule, replaceId } from "../../../src/protocol/id-rules";
import { throwsCode } from "../../support/assertions";

describe("the settings of a dm-responder", () => {
    it("every setting has a default", () => {
        assert.deepEqual(parseResponderSettings({}), {
            target: { kind: "gateway" },
            manage: true,
            lifetimeS: 0,
            deviceActions: true,
            firmwareActions: false,
            bundles: [],
            deviceInfo: {},
            metadata: {},
            respond: "flow",
            timeoutMs: 30_000,
            replayed: "pass",
        });
    });

    it("settings are read as the form and the environment give them", () => {
        const settings = parseResponderSettings({
            target: "device",
            typeId: "pump",
            deviceId: "+",
            manage: "false",
            lifetime: "3600",
            bundles: " a-v1, b.v2,a-v1",
            deviceInfo: '{"model":"m"}',
            metadata: { site: { room: 1 } },
            timeout: "1.5",
        });
        assert.deepEqual(settings.target, { kind: "device", typeId: "pump", deviceId: undefined });
        assert.deepEqual([settings.manage, settings.lifetimeS, settings.bundles], [false, 3600, ["a-v1", "b.v2"]]);
        assert.deepEqual([settings.deviceInfo, settings.metadata, settings.timeoutMs], [{ model: "m" }, { site: { room: 1 } }, 1500]);
    });

    it("settings leave what looks like a variable within JSON alone", () => {
        assert.deepEqual(parseResponderSettings({ metadata: '{"note":"${NOTE}"}' }).metadata, { note: "${NOTE}" });
        throwsCode("GW_CONFIG", () => parseResponderSettings({ metadata: "${NOTE}" }));
    });

    it("settings ignore the ids of devices if the target is the gateway itself", () => {
        assert.deepEqual(parseResponderSettings({ target: "gateway", typeId: "a b" }).target, { kind: "gateway" });
    });

    it("settings name a device by the id that takes the place of an illegal one, if the gateway replaces them", () => {
        const ids = new IdParser(platformNaming, "replace");
        const { target } = parseResponderSettings({ target: "device", typeId: "pump", deviceId: "Pump 7" }, ids);
        assert.deepEqual(target, { kind: "device", typeId: "pump", deviceId: replaceId("Pump 7", idRule) });
    });

    for (const [name, value, code] of [
        ["lifetime", "3599", "GW_CONFIG"],
        ["lifetime", "-1", "GW_CONFIG"],
        ["target", "all", "GW_CONFIG"],
        ["typeId", "a b", "GW_INVALID_ID"],
        ["deviceId", "d+", "GW_INVALID_ID"],
        ["bundles", "a,,b", "GW_CONFIG"],
        ["bundles", "a/b", "GW_CONFIG"],
        ["deviceInfo", "[]", "GW_CONFIG"],
        ["deviceInfo", '{"model":5}', "GW_CONFIG"],
        ["metadata", "{", "GW_CONFIG"],
        ["timeout", "0", "GW_CONFIG"],
        ["respond", "maybe", "GW_CONFIG"],
        ["replayed", "drop", "GW_CONFIG"],
    ] as const) {
        it(`settings reject ${name} ${value}`, () => {
            throwsCode(code, () => parseResponderSettings({ target: "device", [name]: value }));
        });
    }
});
