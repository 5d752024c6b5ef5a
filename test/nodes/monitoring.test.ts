import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import type { GatewayOverview } from "../../src/gateway/monitor/gateway-overview";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { commandNode, eventNode, gatewayNode, Inbox, load, node, observers, withRuntime } from "../support/drivers/flow-runner";
import { readPrometheusText } from "../support/prometheus-text";
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
        const values = new Map<string, number>();
        for (const { samples } of (await families()).values())
            for (const { name, labels, value } of samples) {
                const listed = Object.entries(labels).map(([label, labelled]) => `${label}="${labelled}"`);
                values.set(`${name}{${listed.join()}}`, value);
            }
        return values;
    }

    async function families(): Promise<ReturnType<typeof readPrometheusText>> {
        const { text, headers } = await helper.request().get("/wiotp-gateway/metrics").expect(200);
        assert.match(String(headers["content-type"]), /^text\/plain;.*version=0\.0\.4/);
        return readPrometheusText(text);
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
        assert.equal(values.get(labelled("events_received_total")), 3);
        assert.equal(values.get(labelled("events_published_total")), 2);
        assert.equal(values.get(labelled("events_refused_total")), 0, "what is kept and sent again is not refused for good");
        assert.equal(values.get(labelled("outbox_events")), 1);
        assert.equal(values.get(labelled("devices_held")), 1);
        assert.equal(values.get(labelled("puback_seconds_count")), values.get(labelled("puback_seconds_bucket", ',le="+Inf"')));
        assert.ok((values.get(labelled("puback_seconds_count")) ?? 0) >= 3);
    });

    it("counts each finally refused event: of a known device, of a new device, and of QoS 0", async () => {
        const refuse = (deviceId: string) =>
            simulator.faults.add({ fault: "refusePublish", topic: `iot-2/type/pump/id/${deviceId}/*`, rc: 276, message: "no" });
        await load([...flow(), eventNode({ id: "event0", qos: "0" })], credentials);
        await publish("p1");
        for (const deviceId of ["p1", "p2", "p3"]) refuse(deviceId);
        for (const deviceId of ["p1", "p2"]) node("event").receive({ typeId: "pump", deviceId, payload: 1 });
        node("event0").receive({ typeId: "pump", deviceId: "p3", payload: 1 });
        await waitFor(async () => (await metrics()).get(labelled("events_refused_total")) === 3, "the refusals in the metrics");
    });

    it("exports the metrics of two gateways as one valid text, with the numbers of the JSON and a fixed number of series", async () => {
        const two = [gatewayNode(simulator.port, { id: "gateway2", deviceId: "gw2" }), eventNode({ id: "event2", gateway: "gateway2" })];
        await load([...flow(), ...two], { ...credentials, gateway2: { token: secretToken } });
        const before = await metrics();
        await publish("p1", "p2");
        node("event2").receive({ typeId: "pump", deviceId: "q1", payload: 1 });
        await waitFor(async () => (await metrics()).get('wiotp_gateway_events_published_total{gateway="g:org:gw:gw2"}') === 1, "q1");
        const { gateways } = await get("/wiotp-gateway/state");
        const text = await families();
        assert.deepEqual(
            [...text].map(([name]) => name).filter((name) => !name.startsWith("wiotp_gateway_")),
            [],
        );
        assert.ok(Array.isArray(gateways) && gateways.length === 2);
        for (const entry of gateways.map(requireRecord)) {
            const { clientId, connection, outbox, commands, devices, totals, health } = requireRecord(
                entry.gateway,
            ) as unknown as GatewayOverview;
            const expected: Record<string, number | Readonly<Record<string, number>>> = {
                up: connection.phase === "online" ? 1 : 0,
                state: { connected: 1, connecting: 0, disconnected: 0, paused: 0, closed: 0, [health.state]: 1 },
                events_received_total: totals.eventsReceived,
                events_published_total: totals.eventsPublished,
                events_delivered: totals.eventsDelivered,
                events_rejected_total: totals.eventsRejected,
                events_taken_over: totals.eventsTakenOver,
                events_refused_total: totals.eventsRefused,
                events_stored_total: outbox.storedTotal,
                events_expired_total: outbox.expiredTotal,
                events_dropped_total: outbox.droppedTotal,
                events_superseded_total: outbox.supersededTotal,
                events_undeliverable_total: outbox.undeliverableTotal,
                undelivered: outbox.undelivered,
                undelivered_forgotten_total: outbox.undeliveredForgottenTotal,
                outbox_events: outbox.events,
                outbox_priority_events: { high: outbox.high, normal: outbox.normal, low: outbox.low },
                outbox_oldest_seconds: 0,
                outbox_bytes: outbox.bytes,
                outbox_limit_bytes: outbox.maxBytes,
                outbox_file_bytes: outbox.file?.bytes ?? 0,
                outbox_in_flight: outbox.inFlight,
                outbox_held_bytes: outbox.heldBytes,
                outbox_failing: outbox.problem ? 1 : 0,
                devices: devices.remembered,
                devices_held: devices.held,
                devices_silent: devices.silent,
                certificate_expires_timestamp_seconds: {},
                commands_received_total: totals.commandsReceived,
                commands_total: totals.commandsEnded,
                commands_in_work: commands.inWork,
                commands_waiting: commands.waiting,
                command_seconds: Object.fromEntries([...totals.commandTime.buckets, ["+Inf", totals.commandTime.count]]),
                refused_total: totals.refused,
                reconnects_total: totals.reconnects,
                puback_seconds: Object.fromEntries([...totals.puback.buckets, ["+Inf", totals.puback.count]]),
            };
            assert.deepEqual(
                Object.keys(expected)
                    .map((name) => `wiotp_gateway_${name}`)
                    .sort(),
                [...text.keys()].sort(),
            );
            for (const [name, value] of Object.entries(expected)) {
                const samples = text.get(`wiotp_gateway_${name}`)?.samples.filter(({ labels }) => labels.gateway === clientId) ?? [];
                if (typeof value === "number") {
                    assert.deepEqual(
                        samples.map((sample) => sample.value),
                        [value],
                        name,
                    );
                    continue;
                }
                const labelOf = ({ rc, reason, outcome, priority, state, le }: Readonly<Record<string, string>>) =>
                    rc ?? reason ?? outcome ?? priority ?? state ?? le ?? "";
                const told = samples.filter((sample) => !/_(?:sum|count)$/.test(sample.name));
                assert.deepEqual(Object.fromEntries(told.map((sample) => [labelOf(sample.labels), sample.value])), value, name);
            }
        }
        assert.deepEqual([...(await metrics()).keys()], [...before.keys()], "what happens adds no series");
    });

    it("exports the same numbers as JSON, those of each priority too, and the reason for a missing connection", async () => {
        await load([...flow(), eventNode({ id: "alarms", priority: "" })], credentials);
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
        const before = Date.now();
        for (const priority of ["high", "low", "low"]) node("alarms").receive({ typeId: "pump", deviceId: "p1", payload: 1, priority });
        const waiting = await waitFor(async () => {
            const { gateways } = await get("/wiotp-gateway/state");
            assert.ok(Array.isArray(gateways));
            const { outbox, health } = requireRecord(gateways.map(requireRecord)[0]?.gateway) as unknown as GatewayOverview;
            return outbox.events === 3 ? { outbox, health } : undefined;
        }, "the waiting events");
        const { high, normal, low, oldestAt = "" } = waiting.outbox;
        assert.deepEqual([high, normal, low], [1, 0, 2]);
        assert.deepEqual(waiting.health.waiting, { events: 3, bytes: waiting.outbox.bytes, oldestAt, high, normal, low });
        assert.ok(Date.parse(oldestAt) >= before - 1 && Date.parse(oldestAt) <= Date.now() + 1, oldestAt);
        const values = await metrics();
        assert.equal(values.get(labelled("outbox_priority_events", ',priority="high"')), 1);
        assert.equal(values.get(labelled("outbox_priority_events", ',priority="low"')), 2);
        const age = values.get(labelled("outbox_oldest_seconds")) ?? 0;
        assert.ok(age > 0 && age <= (Date.now() - before + 1) / 1000, `${age} s`);
        assert.equal(values.get(labelled("up")), 0);
    });

    it("tells a paused gateway and one that is closed on purpose from one that has lost its connection", async () => {
        await load(flow(), credentials);
        await publish("p1");
        const states = async () => {
            const values = await metrics();
            const named = ["connected", "connecting", "disconnected", "paused", "closed"];
            return named.filter((state) => values.get(labelled("state", `,state="${state}"`)) === 1);
        };
        const told = async (action: string, state: string) => {
            node("event").receive({ gateway: { action } });
            await waitFor(async () => String(await states()) === state, state);
        };
        await told("pause", "paused");
        assert.equal((await metrics()).get(labelled("up")), 1);
        await told("disconnect", "closed");
        const values = await metrics();
        assert.equal(values.get(labelled("up")), 0);
        assert.equal(values.get(labelled("reconnects_total", ',reason="network"')), 0);
        const { gateways } = await get("/wiotp-gateway/state");
        assert.ok(Array.isArray(gateways));
        const [connection] = gateways.map((entry) => requireRecord(requireRecord(requireRecord(entry).gateway).connection));
        assert.deepEqual(
            [connection?.phase, connection?.isWanted, connection?.isPaused, connection?.reason],
            ["closed", false, true, undefined],
        );
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
        // Odd characters are looked for like any other; what is no text is left out.
        for (const odd of ["%25", "%00", ".*", "p1%26state=held", "%F0%9F%92%A7", "[p1]", "x".repeat(4000)])
            assert.deepEqual(await ids(`search=${odd}`), [], odd);
        for (const none of ["search[]=p1", "search=p1&search=p2", "state=constructor", "page=-1", "page=1e400"])
            assert.equal((await ids(none)).length, 4, none);
        const { body } = await helper.request().get("/gateway-config/gateway/notifications").expect(200);
        assert.equal(body.length, 1);
        assert.deepEqual([body[0].rc, body[0].typeId, body[0].deviceId], [180, "pump", "bad"]);
    });

    it("keeps the last hour for charts", async () => {
        await load(flow(), credentials);
        const { body } = await helper.request().get("/gateway-config/gateway/history").expect(200);
        assert.equal(body.length, 1);
        assert.equal(body[0].eventsReceived, 0);
    });

    it("answers 404 for a gateway that does not run", async () => {
        await load([gatewayNode(simulator.port)], credentials);
        for (const what of ["history", "devices", "notifications"]) {
            await helper.request().get(`/gateway-config/gateway/${what}`).expect(404);
            await helper.request().get(`/gateway-config/other/${what}`).expect(404);
        }
    });

    it("writes versions, settings and log lines, but no secret, to the diagnostics file", async () => {
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
