import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { commandNode, eventNode, gatewayNode, Inbox, load, node, observers, withRuntime } from "../support/flow-runner";
import { requireRecord } from "../support/records";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

describe("monitoring endpoints", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0, token: secretToken });
    });

    afterEach(() => simulator.close());

    const credentials = { gateway: { token: secretToken } };
    const flow = (properties = {}) => [
        gatewayNode(simulator.port, { name: "Hall 4", ...properties }),
        eventNode(),
        commandNode(),
        ...observers,
    ];

    async function get(path: string): Promise<Record<string, unknown>> {
        const { body } = await helper.request().get(path).expect(200);
        return requireRecord(body);
    }

    /** The metrics by name and labels, as a scraper reads them. */
    async function metrics(): Promise<Map<string, number>> {
        const { text, headers } = await helper.request().get("/wiotp-gateway/metrics").expect(200);
        assert.match(String(headers["content-type"]), /^text\/plain;.*version=0\.0\.4/);
        const values = new Map<string, number>();
        for (const line of text.split("\n").filter((each) => each !== "" && !each.startsWith("#"))) {
            const [, name, value] = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line) ?? assert.fail(`not a sample: ${line}`);
            assert.ok(!values.has(String(name)), `twice: ${line}`);
            values.set(String(name), Number(value));
        }
        return values;
    }

    const labelled = (name: string, more = "") => `wiotp_gateway_${name}{gateway="g:org:gw:gw1"${more}}`;

    async function publish(...deviceIds: string[]): Promise<void> {
        const completed = new Inbox("completed");
        for (const deviceId of deviceIds) node("event").receive({ typeId: "pump", deviceId, payload: 1 });
        await completed.count(deviceIds.length);
    }

    it("counts events, acknowledgements and refusals in the metrics, with bounded labels", async () => {
        simulator.faults.add({ fault: "registration", devices: "pump/bad", rc: 180 });
        await load(flow(), credentials);
        await publish("p1", "p2");
        node("event").receive({ typeId: "pump", deviceId: "bad", payload: 1 });
        const values = await waitFor(async () => {
            const now = await metrics();
            return now.get(labelled("refused_total", ',rc="180"')) === 1 ? now : undefined;
        }, "the refusal in the metrics");
        assert.equal(values.get(labelled("up")), 1);
        assert.equal(values.get(labelled("events_accepted_total")), 3);
        assert.equal(values.get(labelled("events_published_total")), 2);
        assert.equal(values.get(labelled("outbox_events")), 1);
        assert.equal(values.get(labelled("devices_held")), 1);
        assert.equal(values.get(labelled("puback_seconds_count")), values.get(labelled("puback_seconds_bucket", ',le="+Inf"')));
        assert.ok((values.get(labelled("puback_seconds_count")) ?? 0) >= 3);
    });

    it("has the same numbers as JSON, and the reason why there is no connection", async () => {
        await load(flow(), credentials);
        await publish("p1");
        simulator.setLink(true);
        const gateway = await waitFor(async () => {
            const { gateways } = await get("/wiotp-gateway/state");
            assert.ok(Array.isArray(gateways));
            const [entry] = gateways.map(requireRecord);
            assert.deepEqual([entry?.id, entry?.name], ["gateway", "Hall 4"]);
            const overview = requireRecord(entry?.gateway);
            return requireRecord(overview.connection).phase === "waiting" ? overview : undefined;
        }, "the lost connection");
        const connection = requireRecord(gateway.connection);
        assert.equal(requireRecord(connection.reason).code, "GW_NETWORK");
        assert.ok(Date.parse(String(connection.since)) > Date.now() - 60_000);
        assert.equal(requireRecord(gateway.totals).eventsPublished, 1);
        const values = await metrics();
        assert.equal(values.get(labelled("up")), 0);
    });

    it("shows a configuration problem in place of a gateway", async () => {
        await load(flow({ keepAlive: "0" }), credentials);
        const { gateways } = await get("/wiotp-gateway/state");
        assert.ok(Array.isArray(gateways));
        const [entry] = gateways.map(requireRecord);
        assert.equal(entry?.gateway, undefined);
        assert.equal(requireRecord(entry?.problem).code, "GW_CONFIG");
        assert.equal((await metrics()).size, 0);
    });

    it("lists devices by search and state, and the last notifications", async () => {
        simulator.faults.add({ fault: "registration", devices: "pump/bad", rc: 180 });
        await load(flow(), credentials);
        await publish("p1", "p2", "q1");
        node("event").receive({ typeId: "pump", deviceId: "bad", payload: 1 });
        const ids = async (query: string) => {
            const { devices } = await get(`/gateway-config/gateway/devices?${query}`);
            assert.ok(Array.isArray(devices));
            return devices.map((device) => requireRecord(device).deviceId);
        };
        await waitFor(async () => (await ids("state=held")).length === 1, "the hold");
        assert.deepEqual(await ids("search=PUMP/p"), ["p1", "p2"]);
        assert.deepEqual(await ids("state=refused"), ["bad"]);
        assert.deepEqual(await ids("state=registered"), ["p1", "p2", "q1"]);
        assert.deepEqual(await ids("state=registered&page=1"), []);
        assert.deepEqual(await ids("page=constructor"), ["bad", "p1", "p2", "q1"]);
        const { body } = await helper.request().get("/gateway-config/gateway/notifications").expect(200);
        assert.equal(body.length, 1);
        assert.deepEqual([body[0].rc, body[0].typeId, body[0].deviceId], [180, "pump", "bad"]);
    });

    it("remembers the last hour for charts", async () => {
        await load(flow(), credentials);
        const { body } = await helper.request().get("/gateway-config/gateway/history").expect(200);
        assert.equal(body.length, 1);
        assert.equal(body[0].eventsAccepted, 0);
    });

    it("answers 404 for a gateway that does not run", async () => {
        await load([gatewayNode(simulator.port)], credentials);
        for (const what of ["history", "devices", "notifications"]) {
            await helper.request().get(`/gateway-config/gateway/${what}`).expect(404);
            await helper.request().get(`/gateway-config/other/${what}`).expect(404);
        }
    });

    it("puts versions, settings and log lines into the diagnostics file, and no secret", async () => {
        await load(flow(), { gateway: { token: `wrong-${secretToken}` } });
        await new Inbox("caught").next();
        const { text, headers } = await helper.request().get("/wiotp-gateway/diagnostics").expect(200);
        assert.match(String(headers["content-disposition"]), /wiotp-gateway-diagnostics\.json/);
        assert.equal(text.includes(`wrong-${secretToken}`), false);
        const bundle = requireRecord(JSON.parse(text));
        const versions = requireRecord(bundle.versions);
        assert.equal(versions.node, process.version);
        assert.match(String(versions.package), /^\d+\.\d+\.\d+/);
        assert.match(String(versions.nodeRed), /^[45]\./);
        assert.ok(Array.isArray(bundle.gateways) && Array.isArray(bundle.log));
        const gateway = requireRecord(bundle.gateways[0]);
        const settings = requireRecord(gateway.settings);
        assert.deepEqual([settings.platform, settings.hasToken], ["broker", true]);
        // A Catch node took the error, so that it is not in the log.
        assert.ok(Array.isArray(gateway.problems));
        const [problem] = gateway.problems.map(requireRecord);
        assert.equal(problem?.code, "GW_AUTH");
        assert.match(String(problem?.text), /did not authorise/);
    });

    it("keeps only the last 200 log lines", async () => {
        await load(flow(), credentials);
        for (let line = 0; line < 300; line++) node("event").log(`line ${line}`);
        const { log } = await get("/wiotp-gateway/diagnostics");
        assert.ok(Array.isArray(log));
        assert.equal(log.length, 200);
        assert.equal(requireRecord(log.at(-1)).text, "line 299");
    });
});
