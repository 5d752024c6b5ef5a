import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { eventNode, gatewayNode, Inbox, load, node, observers, withRuntime } from "../support/drivers/flow-runner";
import { freePortPair } from "../support/ports";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";

describe("admin routes of gateway-config", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0, token: secretToken });
    });

    afterEach(() => simulator.close());

    const form = (properties: Record<string, unknown> = {}) => ({
        platform: "broker",
        host: "127.0.0.1",
        port: String(simulator.port),
        transport: "tcp",
        orgId: "org",
        typeId: "gw",
        deviceId: "gw1",
        ...properties,
    });

    async function test(body: object, id = "gateway"): Promise<{ keys: string[]; mayConnect: boolean; text: string }> {
        const { text } = await helper.request().post(`/gateway-config/${id}/test`).send(body).expect(200);
        const { steps, mayConnect } = JSON.parse(text);
        return { keys: steps.map(({ key }: { key: string }) => key), mayConnect, text };
    }

    describe("inventory", () => {
        it("completes names that the gateway has seen", async () => {
            await load([gatewayNode(simulator.port), eventNode(), ...observers], { gateway: { token: secretToken } });
            const completed = new Inbox("completed");
            for (const deviceId of ["p1", "p2", "q1"]) node("event").receive({ typeId: "pump", deviceId, payload: 1 });
            await completed.count(3);
            const names = async (query: string) => (await helper.request().get(`/gateway-config/gateway/inventory?${query}`)).body;
            assert.deepEqual(await names("kind=deviceId&q=p"), ["p1", "p2"]);
            assert.deepEqual(await names("kind=deviceId&typeId=fan"), []);
            assert.deepEqual(await names("kind=typeId"), ["pump"]);
            assert.deepEqual(await names("kind=eventId"), ["status"]);
        });

        it("lists no names of a gateway that is not deployed, and answers 404 for an unknown kind of name", async () => {
            await load([gatewayNode(simulator.port), eventNode(), ...observers], { gateway: { token: secretToken } });
            assert.deepEqual((await helper.request().get("/gateway-config/other/inventory?kind=typeId").expect(200)).body, []);
            for (const path of ["gateway/inventory?kind=constructor", "gateway/inventory"]) {
                assert.equal((await helper.request().get(`/gateway-config/${path}`)).status, 404, path);
            }
        });
    });

    describe("connection test", () => {
        it("the connection test works before the first deploy, and sends only a connection", async () => {
            await load([...observers]);
            const { keys, mayConnect } = await test({ settings: form(), token: secretToken });
            assert.deepEqual([keys, mayConnect], [["tcp"], true]);
            assert.equal(simulator.observed.total("connect"), 0);
        });

        it("the connection test logs in only on request, and closes at the CONNACK", async () => {
            await load([...observers]);
            const { keys } = await test({ settings: form(), token: secretToken, connect: true });
            assert.deepEqual(keys, ["tcp", "accepted"]);
            await waitFor(() => simulator.observed.counts(clientId).disconnect, "DISCONNECT");
            assert.deepEqual(Object.keys(simulator.observed.counts(clientId)).sort(), ["connect", "disconnect"]);
        });

        it("the connection test explains that the platform did not authorise it", async () => {
            await load([...observers]);
            const { keys, text } = await test({ settings: form(), token: `wrong-${secretToken}`, connect: true });
            assert.deepEqual(keys, ["tcp", "failed"]);
            assert.match(text, /did not authorise g:org:gw:gw1: the token, /);
            assert.equal(text.includes(`wrong-${secretToken}`), false);
            const copied = await test({ settings: form(), token: `${secretToken}\n`, connect: true });
            assert.match(copied.text, /did not authorise g:org:gw:gw1: .* The token begins or ends with a blank or a line end/);
            const forgotten = await test({ settings: form(), token: "", connect: true });
            assert.match(forgotten.text, /did not authorise g:org:gw:gw1, and no token was sent/);
        });

        it("the connection test names a port that does not answer, a host without address, and incomplete settings", async () => {
            await load([...observers]);
            assert.deepEqual((await test({ settings: form({ port: String(await freePortPair()) }) })).keys, ["tcpFailed"]);
            assert.deepEqual((await test({ settings: form({ host: "does-not-exist.invalid" }) })).keys, ["dnsFailed"]);
            assert.deepEqual((await test({ settings: form({ deviceId: "" }) })).keys, ["invalid"]);
            assert.deepEqual((await test({ settings: "nonsense" })).keys, ["invalid"]);
        });

        it("the connection test only says that the gateway's own connection is up", async () => {
            await load([gatewayNode(simulator.port), eventNode(), ...observers], { gateway: { token: secretToken } });
            await waitFor(() => simulator.observed.counts(clientId).subscribe, "the connection");
            const { keys, mayConnect } = await test({ settings: form(), connect: true });
            assert.deepEqual([keys, mayConnect], [["linkUp"], false]);
            assert.equal(simulator.observed.counts(clientId).connect, 1);
        });

        it("the connection test uses the stored token only for the deployed server and identity, and never returns it", async () => {
            simulator.faults.add({ fault: "refuseConnect", returnCode: 3, times: 1 });
            await load([gatewayNode(simulator.port), eventNode(), ...observers], { gateway: { token: secretToken } });
            await waitFor(() => simulator.observed.counts(clientId).connect, "the first attempt");
            const elsewhere = await test({ settings: form({ deviceId: "gw2" }), connect: true });
            assert.deepEqual([elsewhere.keys, elsewhere.mayConnect], [["tcp", "noToken"], false]);
            assert.equal(elsewhere.text.includes(secretToken), false);
        });

        describe("with environment variables", () => {
            const variables = {
                TEST_GATEWAY_HOST: "127.0.0.1",
                TEST_GATEWAY_TYPE: "gw-of-the-plant",
                TEST_GATEWAY_TOKEN: secretToken,
                TEST_GATEWAY_LINE: "line-number-4",
            };
            before(() => Object.assign(process.env, variables));
            after(() => {
                for (const name of Object.keys(variables)) delete process.env[name];
            });

            it("the connection test resolves environment variables, and shows their names instead of their values", async () => {
                await load([...observers]);
                const named = { host: `\${TEST_GATEWAY_HOST}`, typeId: `\${TEST_GATEWAY_TYPE}` };
                const { keys, text } = await test({ settings: form(named), token: `wrong-${secretToken}`, connect: true });
                assert.deepEqual(keys, ["tcp", "failed"]);
                assert.equal(simulator.observed.counts("g:org:gw-of-the-plant:gw1").connect, 1);
                assert.match(text, /\$\{TEST_GATEWAY_HOST\} did not authorise g:org:\$\{TEST_GATEWAY_TYPE\}:gw1/);
                for (const value of ["127.0.0.1", "gw-of-the-plant"]) assert.equal(text.includes(value), false, value);
            });

            it("the connection test treats a token from a variable like a stored one", async () => {
                await load([...observers]);
                const { keys, mayConnect } = await test({ settings: form(), token: `\${TEST_GATEWAY_TOKEN}`, connect: true });
                assert.deepEqual([keys, mayConnect], [["tcp", "noToken"], false]);
                assert.equal(simulator.observed.total("connect"), 0);
            });

            it("the connection test says that the variable of the stored token is not set", async () => {
                await load([gatewayNode(simulator.port), eventNode(), ...observers], { gateway: { token: `\${TEST_GATEWAY_UNSET}` } });
                const { keys, text } = await test({ settings: form(), connect: true });
                assert.deepEqual(keys, ["invalid"]);
                assert.match(text, /TEST_GATEWAY_UNSET/);
                assert.equal(simulator.observed.total("connect"), 0);
            });

            it("the connection test says that a variable is not set", async () => {
                await load([...observers]);
                for (const host of [`\${TEST_GATEWAY_UNSET}`, `\${TEST_GATEWAY_TYPE}.\${TEST_GATEWAY_UNSET}`]) {
                    const { keys, text } = await test({ settings: form({ host }) });
                    assert.deepEqual(keys, ["invalid"]);
                    assert.match(text, /environment variable TEST_GATEWAY_UNSET,/);
                }
            });

            it("the connection test resolves several variables in one setting", async () => {
                await load([...observers]);
                const named = { port: `1\${TEST_GATEWAY_PORT}`, deviceId: `\${TEST_GATEWAY_TYPE}.\${TEST_GATEWAY_LINE}` };
                process.env.TEST_GATEWAY_PORT = String(simulator.port).slice(1);
                const settings = form({ ...named, port: `${String(simulator.port)[0]}\${TEST_GATEWAY_PORT}` });
                const { keys, text } = await test({ settings, token: `wrong-${secretToken}`, connect: true });
                assert.deepEqual(keys, ["tcp", "failed"]);
                assert.equal(simulator.observed.counts("g:org:gw:gw-of-the-plant.line-number-4").connect, 1);
                assert.match(text, /did not authorise g:org:gw:\$\{TEST_GATEWAY_TYPE\}\.\$\{TEST_GATEWAY_LINE\}: /);
                assert.doesNotMatch(text, /gw-of-the-plant|line-number-4/);
                assert.equal(text.includes(String(simulator.port)), false, "the port");
            });

            it("the connection test takes variables of the editor that are not deployed, and theirs first", async () => {
                await load([...observers]);
                const settings = form({ typeId: `\${TEST_GATEWAY_TYPE}`, deviceId: `\${TEST_EDITOR_ID}` });
                const environment = { TEST_GATEWAY_TYPE: "type-of-the-editor", TEST_EDITOR_ID: { text: `\${TEST_GATEWAY_LINE}` } };
                const { keys, text } = await test({ settings, environment, token: `wrong-${secretToken}`, connect: true });
                assert.deepEqual(keys, ["tcp", "failed"]);
                assert.equal(simulator.observed.counts("g:org:type-of-the-editor:line-number-4").connect, 1);
                assert.doesNotMatch(text, /type-of-the-editor|line-number-4/);
            });

            it("the connection test does not multiply variables without end", async () => {
                await load([...observers]);
                const names = Array.from({ length: 40 }, (_, index) => `TEST_N${index}`);
                const twice = (name: string | undefined) => ({ text: `\${${name}}`.repeat(60) });
                const environment = Object.fromEntries(names.map((name, index) => [name, twice(names[index + 1])]));
                const long = { TEST_LONG: "x".repeat(1_000_000) };
                for (const host of [`\${${names[0]}}`, `\${TEST_LONG}`.repeat(50_000)]) {
                    const { keys } = await test({ settings: form({ host }), environment: { ...environment, ...long } });
                    assert.deepEqual(keys, ["invalid"]);
                }
            });

            it("the connection test takes variables of the deployed global environment before the gateway is deployed", async () => {
                const env = [{ name: "TEST_GATEWAY_TYPE", value: "type-of-all-flows", type: "str" }];
                await load([{ id: "globals", type: "global-config", env }, ...observers]);
                const settings = form({ typeId: `\${TEST_GATEWAY_TYPE}`, deviceId: `\${TEST_GATEWAY_LINE}` });
                const { keys } = await test({ settings, token: `wrong-${secretToken}`, connect: true });
                assert.deepEqual(keys, ["tcp", "failed"]);
                assert.equal(simulator.observed.counts("g:org:type-of-all-flows:line-number-4").connect, 1);
            });

            const secret = 'S3cret "quoted\\" Zq9XyW7vUt6sRq5pOn4mLk3jIh2gFe1dCb0aS3cretS3cretS3cretS3cret/?#';
            const ofSecret = /zq9x|q5po|s3cr|quot|user/i;
            const variable = `\${TEST_SECRET}`;
            for (const [what, settings, value, mustNotShow] of [
                ["a host that is none, with a password", { host: variable }, `mqtts://user:${secret}@broker:8883`, ofSecret],
                ["a host that is none, and long", { host: variable }, secret, ofSecret],
                ["a part of a host", { host: `a b${variable}` }, secret, ofSecret],
                ["a host without an address", { host: variable }, "Zq9XyW7vUt6sRq5pOn4mLk3jIh2gFe1dCb0a.invalid", ofSecret],
                ["a host that answers", { host: variable }, "127.0.0.1", /127/],
                ["an unknown platform", { platform: variable }, secret, ofSecret],
                ["a transport that the platform refuses", { platform: "maximo", transport: variable }, "tcp", /tcp/],
                ["a port that is none", { port: variable }, "70123456", /70/],
                ["a port that nothing listens on", { port: variable }, "1", /(?<![\w.])1(?![\w.])/],
                ["a path that is none", { transport: "wss", path: variable }, `/ ${secret}`, ofSecret],
                ["an id that is none", { orgId: variable }, secret, ofSecret],
                ["a keep-alive that is none", { keepAlive: variable }, "98765", /98/],
                ["a session that is neither", { cleanSession: variable }, secret, ofSecret],
                ["a setting that is not tested", { will: variable }, secret, ofSecret],
            ] as const) {
                it(`the connection test shows no part of a variable: ${what}`, async () => {
                    await load([...observers]);
                    process.env.TEST_SECRET = value;
                    const { text } = await test({ settings: form(settings), token: "" });
                    for (const { parameters = {} } of JSON.parse(text).steps) {
                        for (const shown of Object.values(parameters)) assert.doesNotMatch(String(shown), mustNotShow);
                    }
                });
            }
        });
    });
});
