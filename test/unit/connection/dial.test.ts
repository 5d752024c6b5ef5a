import assert from "node:assert/strict";
import { urlHost } from "../../../src/connection/dial";

describe("dialling", () => {
    it("writes the server's address in URL notation", () => {
        const hosts = ["broker.example", "10.0.0.7", "fd00::7", "fe80::7%eth0"].map((host) => urlHost({ host, port: 443 }));
        assert.deepEqual(hosts, ["broker.example:443", "10.0.0.7:443", "[fd00::7]:443", "[fe80::7]:443"]);
        for (const host of hosts) assert.ok(URL.canParse(`wss://${host}/`), host);
    });
});
