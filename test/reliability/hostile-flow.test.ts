import assert from "node:assert/strict";
import path from "node:path";
import { errorTable } from "../../src/errors";
import { accept } from "../support/doubles/broker-script";
import { ListeningBroker } from "../support/doubles/listening-broker";
import { gatewayNode } from "../support/drivers/flow-runner";
import { NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { freePortPair } from "../support/ports";
import { waitFor } from "../support/wait-for";
import type { HostileReport } from "./support/hostile-source";

const nodesDir = [process.cwd(), path.join(process.cwd(), "test/reliability/fixtures/hostile")];
const json = { "content-type": "application/json" };
const gatewayEvents = { type: "device-event-out", gateway: "gateway", source: "gateway" };
const onTab = (properties: object) => ({ z: "tab", x: 0, y: 0, wires: [], ...properties });
const eventFields = [
    "payload",
    "typeId",
    "deviceId",
    "eventId",
    "format",
    "qos",
    "ttl",
    "ids",
    "_msgid",
    "topic",
    "error",
    "req",
    "hasOwnProperty",
];
const goodEvent = {
    typeId: "t",
    deviceId: "d",
    eventId: "e",
    format: "json",
    qos: 1,
    ttl: 60,
    payload: 1,
    ids: { typeId: "t", list: ["d"] },
};

/** `device-event-out` nodes that read their settings in each way there is. */
const eventNodes = {
    plain: {},
    fromMessage: { format: "", qos: "", eventIdType: "msg", eventId: "eventId", timestamp: "ts", wrap: true },
    byPath: { typeId: "ids.typeId", deviceId: "ids.list[0]" },
    byJsonata: { typeId: "typeId", typeIdType: "jsonata", deviceId: "$string(deviceId)", deviceIdType: "jsonata" },
    asText: { format: "text" },
    asBytes: { format: "bin", source: "gateway", qos: "0" },
    asOther: { format: "own", complete: "acknowledged" },
};

/** What a flow may ask of a `dm-responder`, and a good message for each. */
const managementMessages: Record<string, object> = {
    location: { dm: { action: "location" }, payload: { latitude: 1, longitude: 2 } },
    manage: { dm: { action: "manage", reply: true } },
    log: { dm: { action: "addLog" }, payload: { message: "m", severity: 1 } },
    answer: { dm: { action: "device/reboot", typeId: "gw", deviceId: "gw1", reqId: "none" }, rc: 202, message: "m", payload: {} },
    firmware: { dm: { action: "firmware", step: "downloading" } },
};
const managementFields = ["dm", "dm.action", "dm.typeId", "dm.deviceId", "dm.reqId", "dm.reply", "dm.step", "dm.reason"].concat([
    "rc",
    "message",
    "payload",
    "_msgid",
    "topic",
    "error",
    "req",
    "hasOwnProperty",
]);

function flow(port: number): object[] {
    const responder = { type: "dm-responder", gateway: "gateway", firmwareActions: true, wires: [[], ["answers", "answers2"]] };
    return [
        { id: "tab", type: "tab", label: "hostile" },
        gatewayNode(port, { platform: "simulator", host: "" }),
        onTab({ id: "source", type: "hostile-source" }),
        ...Object.entries(eventNodes).map(([id, properties]) => onTab({ id, type: "device-event-out", gateway: "gateway", ...properties })),
        onTab({ id: "responder", ...responder }),
        // Two wires each, because Node-RED clones a message for the second one.
        onTab({ id: "catch", type: "catch", scope: [...Object.keys(eventNodes), "responder"], wires: [["caught", "idle"]] }),
        onTab({ id: "complete", type: "complete", scope: [...Object.keys(eventNodes), "responder"], wires: [["idle", "idle2"]] }),
        onTab({ id: "caught", type: "caught-counter" }),
        ...["idle", "idle2", "answers", "answers2"].map((id) => onTab({ id, type: "hostile-source" })),
    ];
}

for (const [version, module] of Object.entries(nodeRedModules)) {
    const isNewest = module === nodeRedModules["Node-RED 5"];

    describe(`a hostile flow in ${version}`, () => {
        let nodeRed: NodeRedProcess;
        /** How often each outcome occurred so far. */
        const counts: Record<string, number> = {};

        before(async function () {
            this.timeout(90_000);
            nodeRed = await NodeRedProcess.start(module, { settings: { nodesDir } });
            await nodeRed.deploy(flow(await freePortPair()));
            await waitFor(() => nodeRed.log.includes("Connected to"), "the connection");
        });

        after(async () => nodeRed?.stop());

        async function run(targets: readonly object[]): Promise<HostileReport> {
            const response = await fetch(`${nodeRed.url}hostile-source`, {
                method: "POST",
                headers: json,
                body: JSON.stringify({ targets, seed: 42 }),
            }).catch((error: unknown) => assert.fail(`${String(error)}; Node-RED says:\n${nodeRed.log.slice(-3000)}`));
            const text = await response.text();
            assert.equal(response.status, 200, text);
            return JSON.parse(text);
        }

        function assertOutcomes({ sent, outcomes, caught, wrong }: HostileReport): void {
            assert.deepEqual(wrong, []);
            for (const [code, count] of Object.entries(outcomes)) counts[code] = (counts[code] ?? 0) + count;
            // RefusalHandler of the platform come besides what became of the message.
            const { GW_REFUSED: _late, ...errors } = caught;
            const { done: _done, ...expected } = counts;
            assert.deepEqual(errors, expected, "what the Catch node got");
            assert.ok(sent > 500 && Number(outcomes.done) > 5, JSON.stringify(outcomes));
            for (const outcome of Object.keys(outcomes)) assert.ok(outcome === "done" || outcome in errorTable, outcome);
            assert.ok(nodeRed.isRunning);
        }

        for (const id of Object.keys(eventNodes)) {
            it(`ends each message to a device-event-out with one done or one error with a code: ${id}`, async function () {
                this.timeout(120_000);
                assertOutcomes(await run([{ id, good: goodEvent, fields: eventFields }]));
            });
        }

        it("ends each message to a dm-responder with one done or one error with a code", async function () {
            this.timeout(120_000);
            // Its thousands of errors are paced: one kind of message is enough to see how another version takes them.
            const messages = Object.values(managementMessages).slice(0, isNewest ? undefined : 1);
            assertOutcomes(await run(messages.map((good) => ({ id: "responder", good, fields: managementFields }))));
        });

        it("hostile messages do not fill the log", () => {
            const lines = nodeRed.log.split("\n");
            assert.ok(lines.length < 200, `${lines.length} lines, such as\n${lines.slice(0, 60).join("\n")}`);
        });
    });
}

describe("a flood of messages", () => {
    let broker: ListeningBroker;
    let nodeRed: NodeRedProcess;

    before(async function () {
        this.timeout(90_000);
        // Each event comes back as a command.
        broker = await ListeningBroker.start();
        broker.script.add({
            cmd: "publish",
            topic: "iot-2/type/+/id/+/evt/loop/#",
            reaction: ({ packet }) => {
                if (packet.cmd === "publish") broker.publish(packet.topic.replace("/evt/", "/cmd/"), packet.payload);
                return accept;
            },
        });
        // Without stack traces, which are most of what a refusal costs, the test takes seconds.
        const env = { NODE_OPTIONS: "--max-old-space-size=160 --stack-trace-limit=0" };
        nodeRed = await NodeRedProcess.start("node-red", { settings: { nodesDir }, env });
    });

    after(async () => {
        await nodeRed?.stop();
        await broker?.stop();
    });

    async function deploy(gateway: Record<string, unknown>, nodes: readonly object[]): Promise<void> {
        const connects = broker.connectionCount;
        const common = [onTab({ id: "source", type: "hostile-source" }), onTab({ id: "caught", type: "caught-counter" })];
        await nodeRed.deploy([{ id: "tab", type: "tab", label: "flood" }, gatewayNode(broker.port, gateway), ...common, ...nodes]);
        if (gateway.port === undefined) await waitFor(() => broker.connectionCount > connects, "the connection");
    }

    async function flood(count: number, message: object): Promise<void> {
        const body = JSON.stringify({ target: "out", count, message });
        const post = () => fetch(`${nodeRed.url}hostile-source/flood`, { method: "POST", headers: json, body });
        await waitFor(async () => (await post()).ok, "the node");
    }

    async function totals(): Promise<Pick<HostileReport, "outcomes" | "caught">> {
        return (await fetch(`${nodeRed.url}hostile-source/totals`)).json();
    }

    function assertShortLog(from: number): void {
        const lines = nodeRed.log.slice(from).split("\n");
        assert.ok(lines.length < 150, `${lines.length} lines, such as\n${lines.slice(0, 60).join("\n")}`);
    }

    it("a million messages in one turn without a connection exhaust neither memory nor the log", async function () {
        this.timeout(180_000);
        const gateway = { port: "1", outbox: "disk", outboxMaxMb: "10", deviceId: "flood-million" };
        await deploy(gateway, [onTab({ id: "out", ...gatewayEvents })]);
        const logged = nodeRed.log.length;
        await flood(1_000_000, { payload: {} });
        const { gateways } = await (await nodeRed.ask("wiotp-gateway/state")).json();
        const { events, bytes } = gateways[0].gateway.outbox;
        assert.ok(events > 10_000 && events < 200_000 && bytes < 10_000_000, `${events} events of ${bytes} bytes are kept`);
        assertShortLog(logged);
        assert.ok((await nodeRed.flows()).length > 0);
    });

    for (const outbox of ["memory", "disk", "off"]) {
        it(`80 000 messages in one turn end with GW_OUTBOX_FULL, not out of memory, with the outbox ${outbox}`, async function () {
            this.timeout(90_000);
            // A gateway of its own, so that nothing is left over.
            await deploy({ outbox, outboxMaxMb: "10", deviceId: `flood-${outbox}` }, [onTab({ id: "out", ...gatewayEvents })]);
            const { done = 0, GW_OUTBOX_FULL: before = 0 } = (await totals()).outcomes;
            await waitFor(async () => {
                await flood(1, { payload: {} });
                return Number((await totals()).outcomes.done) > done;
            }, "an event to be done");
            const logged = nodeRed.log.length;
            await flood(80_000, { payload: {} });
            const { outcomes } = await totals();
            const full = Number(outcomes.GW_OUTBOX_FULL) - before;
            assert.ok(full > 20_000 && full < 79_000, `${full} were refused`);
            assertShortLog(logged);
        });
    }

    it("messages that a Catch node sends back to the failing node end, and do not fill the log", async function () {
        this.timeout(60_000);
        await deploy({ deviceId: "catch-loop" }, [
            onTab({ id: "out", ...gatewayEvents, eventIdType: "msg", eventId: "missing" }),
            onTab({ id: "catch", type: "catch", scope: ["out"], wires: [["out", "caught"]] }),
        ]);
        const logged = nodeRed.log.length;
        const before = (await totals()).caught.GW_INVALID_ID ?? 0;
        await flood(300, { payload: {} });
        await waitFor(async () => Number((await totals()).caught.GW_INVALID_ID) - before >= 2700, "nine rounds of each", 40_000);
        assertShortLog(logged);
    });

    it("messages that a Complete node sends back without a connection end with GW_OUTBOX_FULL", async function () {
        this.timeout(60_000);
        await deploy({ port: "1", outbox: "disk", outboxMaxMb: "0.01", deviceId: "complete-loop" }, [
            onTab({ id: "out", ...gatewayEvents }),
            onTab({ id: "complete", type: "complete", scope: ["out"], wires: [["back"]] }),
            // Node-RED cuts the shortest loop itself.
            onTab({ id: "back", type: "function", func: "return msg;", outputs: 1, wires: [["out"]] }),
        ]);
        const logged = nodeRed.log.length;
        const before = (await totals()).outcomes.GW_OUTBOX_FULL ?? 0;
        await flood(10, { payload: "x".repeat(100) });
        await waitFor(async () => Number((await totals()).outcomes.GW_OUTBOX_FULL) - before === 10, "the end of each", 20_000).catch(
            async (e) => {
                console.log(await totals(), nodeRed.log.slice(-1000));
                throw e;
            },
        );
        assertShortLog(logged);
    });

    it("events that return as commands indefinitely leave the editor usable", async function () {
        this.timeout(60_000);
        await deploy({ deviceId: "command-loop" }, [
            onTab({ id: "in", type: "device-command-in", gateway: "gateway", target: "gateway", wires: [["out"]] }),
            onTab({ id: "out", ...gatewayEvents, eventId: "loop" }),
        ]);
        const command = "iot-2/type/gw/id/command-loop/cmd/loop/fmt/json";
        await waitFor(() => broker.session("g:org:gw:command-loop")?.qosFor(command) !== undefined, "the subscription");
        const logged = nodeRed.log.length;
        const before = broker.count("publish");
        await flood(10, { payload: {} });
        await waitFor(() => broker.count("publish") > before + 2000, "2000 rounds");
        assert.ok((await nodeRed.flows()).length > 0);
        assertShortLog(logged);
        assert.ok(nodeRed.isRunning);
    });
});
