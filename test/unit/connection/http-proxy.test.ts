import assert from "node:assert/strict";
import fc from "fast-check";
import { proxyFor } from "../../../src/connection/http-proxy";

/** What Node-RED's own nodes go by. */
const core: { getProxyForUrl(url: string, options: object): string } = require("@node-red/nodes/core/network/lib/proxyHelper.js");

const hosts = fc.constantFrom("mas.example", "broker.mas.example", "example", "plant.local");
const entries = fc.oneof(
    hosts,
    hosts.map((host) => `.${host}`),
    hosts.map((host) => `*.${host}`),
    fc.tuple(hosts, fc.constantFrom(443, 8443)).map(([host, port]) => `${host}:${port}`),
    fc.constantFrom("*", "", "MAS.example"),
);
const lists = fc
    .tuple(fc.array(entries, { maxLength: 4 }), fc.constantFrom(",", " ", ", "))
    .map(([list, separator]) => list.join(separator));

describe("web proxy of the environment", () => {
    it("ignores the proxy for the same hosts as Node-RED's own nodes", () => {
        fc.assert(
            fc.property(hosts, fc.constantFrom(443, 8443), lists, fc.boolean(), (host, port, exceptions, upperCase) => {
                const environment = {
                    wss_proxy: "http://proxy.example:3128",
                    [upperCase ? "NO_PROXY" : "no_proxy"]: exceptions,
                };
                const expected = core.getProxyForUrl(`wss://${host}:${port}/`, { env: environment });
                assert.equal(proxyFor(host, port, environment)?.host ?? "", expected === "" ? "" : "proxy.example:3128");
            }),
        );
    });

    it("uses the proxy for https, or the one for wss if there is one", () => {
        const named = (environment: Record<string, string>) => proxyFor("mas.example", 443, environment)?.hostname;
        assert.equal(named({}), undefined);
        assert.equal(named({ HTTPS_PROXY: "http://upper:1" }), "upper");
        assert.equal(named({ HTTPS_PROXY: "http://upper:1", https_proxy: "lower:1" }), "lower");
        assert.equal(named({ https_proxy: "http://https:1", WSS_PROXY: "http://wss:1" }), "wss");
        assert.equal(named({ ALL_PROXY: "http://all:1", http_proxy: "http://plain:1" }), "all");
    });

    it("rejects a proxy that is not an HTTP proxy", () => {
        assert.throws(() => proxyFor("mas.example", 443, { all_proxy: "socks5://user:secret@proxy:1080" }), {
            code: "GW_CONFIG",
            message: /must look like http:\/\/proxy\.example:3128\.$/,
        });
    });

    it("ignores the proxy for an IPv6 address, with or without brackets", () => {
        const through = (exception: string) =>
            proxyFor("fd00::1", 443, { https_proxy: "http://proxy:1", NO_PROXY: exception }) !== undefined;
        assert.deepEqual(["fd00::1", "[fd00::1]", "[fd00::1]:443", "[fd00::1]:8443", "fd00::", "::1"].map(through), [
            false,
            false,
            false,
            true,
            true,
            true,
        ]);
    });
});
