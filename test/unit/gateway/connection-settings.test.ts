import assert from "node:assert/strict";
import { serverKey, transportOptions } from "../../../src/gateway/connection-settings";
import { parseGatewayOptions } from "../../../src/gateway/gateway-options";

const identity = { orgId: "ws1", typeId: "gw", deviceId: "g1" };

function missingOrganisation(properties: Record<string, string>): string | undefined {
    const options = parseGatewayOptions({ ...identity, ...properties });
    return transportOptions({ options, token: "", tls: {} }).missingOrganisation;
}

describe("connection settings", () => {
    it("expects the organisation in the host name only on the platform, only over websockets", () => {
        assert.equal(missingOrganisation({ platform: "maximo", transport: "wss", host: "messaging.example.com" }), "ws1");
        assert.equal(missingOrganisation({ platform: "maximo", transport: "wss", host: "WS1.messaging.example.com" }), undefined);
        assert.equal(missingOrganisation({ platform: "maximo", transport: "tls", host: "messaging.example.com" }), undefined);
        assert.equal(missingOrganisation({ platform: "broker", transport: "wss", host: "messaging.example.com" }), undefined);
    });

    it("names a server by its host, and an own broker by its port as well", () => {
        const key = (properties: Record<string, string>) => serverKey(parseGatewayOptions({ ...identity, ...properties }));
        assert.equal(key({ platform: "maximo", host: "Messaging.Example.com." }), "messaging.example.com");
        assert.equal(key({ platform: "broker", host: "localhost", transport: "tcp" }), "localhost:1883");
    });
});
