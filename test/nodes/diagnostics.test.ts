import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import { commandNode, eventNode, gatewayNode, Inbox, load, observers, withRuntime } from "../support/drivers/flow-runner";
import { freePortPair } from "../support/ports";
import { requireRecord } from "../support/records";
import { assertNoSecrets, secretMarker, secretToken } from "../support/secrets";

describe("the diagnostics file", () => {
    withRuntime();
    const environment = { ...process.env };

    afterEach(() => {
        process.env = { ...environment };
    });

    /** Asks for everything that is served, and returns the diagnostics of the first gateway. */
    async function served(): Promise<Record<string, unknown>> {
        const ask = async (path: string) => [path, (await helper.request().get(path).expect(200)).text] as const;
        const answers = await Promise.all(["diagnostics", "state", "metrics"].map((name) => ask(`/wiotp-gateway/${name}`)));
        assertNoSecrets(answers);
        const { gateways } = requireRecord(JSON.parse(answers[0]?.[1] ?? ""));
        assert.ok(Array.isArray(gateways));
        return requireRecord(gateways[0]);
    }

    it("contains no secret of the token, the path, a web proxy, TLS settings or another gateway", async () => {
        const port = await freePortPair();
        // Nothing listens on either port, so the reason is about the proxy.
        process.env.https_proxy = `http://user:${secretMarker}@127.0.0.1:${port}`;
        process.env.no_proxy = "";
        process.env.GATEWAY_PATH = `/mqtt?client=1&signature=${secretMarker}`;
        const gateway = gatewayNode(port + 1, {
            host: "broker.test",
            transport: "wss",
            path: "${GATEWAY_PATH}",
            tls: "tls",
            will: "status",
        });
        const tls = { id: "tls", type: "tls-config", cert: "", key: "", ca: "", verifyservercert: true };
        const other = gatewayNode(port, { id: "other", deviceId: "gw2" });
        const flow = [tls, gateway, eventNode(), commandNode(), other, eventNode({ id: "event2", gateway: "other" }), ...observers];
        const secrets = { passphrase: secretMarker, cadata: `-----BEGIN ${secretMarker}` };
        await load(flow, { gateway: { token: secretToken }, other: { token: secretToken }, tls: secrets });
        await new Inbox("caught").next(({ error }) => String(requireRecord(error).message).includes("proxy"));
        const { settings, problems } = await served();
        const { host, path, hasToken, willEventId } = requireRecord(settings);
        assert.deepEqual([host, path, hasToken, willEventId], ["broker.test", "/mqtt?…", true, "status"]);
        assert.match(JSON.stringify(problems), new RegExp(`proxy[^"]*127\\.0\\.0\\.1:${port}`));
    });

    for (const [what, properties] of [
        ["an address with a password in place of a host", { host: `mqtts://user:${secretMarker}@broker.test:8883` }],
        ["a path with a blank and a signature", { transport: "ws", path: `/mqtt path?signature=${secretMarker}` }],
    ] as const) {
        it(`explains the problem with ${what} without the secret in it`, async () => {
            await load([gatewayNode(1, properties), eventNode(), ...observers], { gateway: { token: secretToken } });
            const { error } = await new Inbox("caught").next();
            assert.match(String(requireRecord(error).message), /broker\.test:8883|mqtt path/);
            const { problem } = await served();
            assert.equal(requireRecord(problem).code, "GW_CONFIG");
        });
    }
});
