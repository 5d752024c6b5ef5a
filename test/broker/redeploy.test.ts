import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { gatewayNode } from "../support/flow-runner";
import { type DeployType, NodeRedProcess } from "../support/node-red-process";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";
const deployTypes: readonly DeployType[] = ["full", "flows", "nodes"];

/**
 * A source that numbers its events without a pause, an echo of each command as an event, and a node that differs from
 * deploy to deploy. The numbers live in the global context, which outlasts a deploy.
 */
function flow(port: number, version: number, gateway: Record<string, unknown> = {}): object[] {
    const onTab = (properties: object) => ({ z: "tab", x: 0, y: 0, wires: [], ...properties });
    return [
        { id: "tab", type: "tab", label: "redeploy" },
        { ...gatewayNode(port, { outbox: "disk", ...gateway }) },
        onTab({ id: "tick", type: "inject", repeat: "0.02", once: true, onceDelay: 0.01, props: [], wires: [["source"]] }),
        onTab({
            id: "source",
            type: "function",
            outputs: 1,
            func: 'const n = (global.get("n") || 0) + 1; global.set("n", n); return { payload: n, typeId: "pump", deviceId: "p1" };',
            wires: [["event"]],
        }),
        onTab({ id: "event", type: "device-event-out", gateway: "gateway", eventId: "count", eventIdType: "str" }),
        onTab({ id: "complete", type: "complete", scope: ["event"], wires: [["done"]] }),
        onTab({ id: "done", type: "function", func: 'global.set("done", (global.get("done") || []).concat(msg.payload)); return null;' }),
        onTab({ id: "command", type: "device-command-in", gateway: "gateway", typeId: "pump", wires: [["echo"]] }),
        onTab({
            id: "echo",
            type: "function",
            outputs: 1,
            func: "return { payload: msg.payload, typeId: 'pump', deviceId: 'p2' };",
            wires: [["echoed"]],
        }),
        onTab({ id: "echoed", type: "device-event-out", gateway: "gateway", eventId: "echo", eventIdType: "str" }),
        onTab({ id: "changes", type: "comment", name: `version ${version}` }),
        onTab({ id: "dump", type: "http in", url: "/dump", method: "get", wires: [["answer"]] }),
        onTab({
            id: "answer",
            type: "function",
            outputs: 1,
            func: 'msg.payload = { done: global.get("done") || [] }; return msg;',
            wires: [["response"]],
        }),
        onTab({ id: "response", type: "http response" }),
    ];
}

describe("redeploys in a real Node-RED", () => {
    let simulator: Simulator;
    let nodeRed: NodeRedProcess;
    const received: { event: string; value: number }[] = [];

    before(async function () {
        this.timeout(90_000);
        simulator = await startSimulator({ port: 0, httpPort: 0, logSize: 0 });
        simulator.observed.onPacket(({ command, topic, payload }) => {
            const event = command === "publish" ? topic?.split("/")[6] : undefined;
            if (event) received.push({ event, value: Number(payload) });
        });
        nodeRed = await NodeRedProcess.start("node-red", {
            // By default Node-RED itself loses a message that is on its way between two nodes when a deploy stops them.
            settings: { runtimeSyncDelivery: true },
        });
        await nodeRed.deploy(flow(simulator.port, 0));
        await waitFor(() => values("count").length > 10, "events");
    });

    after(async () => {
        await nodeRed?.stop();
        await simulator?.close();
    });

    const values = (name: string) => received.filter(({ event }) => event === name).map(({ value }) => value);
    const connects = () => simulator.observed.counts(clientId).connect ?? 0;
    const done = async (): Promise<number[]> => (await (await fetch(`${nodeRed.url}dump`)).json()).done;

    /** Done means safe, so what is done now may still be on its way. */
    const deliversWhatIsDone = async (): Promise<void> => {
        const reported = await done();
        await waitFor(() => {
            const delivered = new Set(values("count"));
            return reported.every((value) => delivered.has(value));
        }, "every event that was reported done");
    };

    it("that leave the gateway unchanged keep its connection, and lose no event and no command, whatever their kind", async function () {
        this.timeout(120_000);
        const subscribes = simulator.observed.counts(clientId).subscribe;
        let command = 0;
        const sending = setInterval(() => {
            command += 1;
            simulator.publish("org", "iot-2/type/pump/id/p9/cmd/go/fmt/json", String(command), 1);
        }, 10);
        try {
            let version = 1;
            for (const type of deployTypes) {
                for (let round = 0; round < 3; round++) {
                    await nodeRed.deploy(flow(simulator.port, version++), type);
                    const before = values("count").length;
                    await waitFor(() => values("count").length > before + 5, `events after a deploy of ${type}`);
                }
            }
        } finally {
            clearInterval(sending);
        }
        await waitFor(() => values("echo").includes(command), "the last command");
        assert.equal(connects(), 1);
        assert.deepEqual(
            [simulator.observed.counts(clientId).subscribe, simulator.observed.counts(clientId).unsubscribe ?? 0],
            [subscribes, 0],
        );
        assert.deepEqual(
            values("echo"),
            Array.from({ length: command }, (_, index) => index + 1),
        );
        await deliversWhatIsDone();
    });

    it("that change the gateway connect it once more, and lose no event", async function () {
        this.timeout(60_000);
        const before = connects();
        await nodeRed.deploy(flow(simulator.port, 1000, { keepAlive: "45" }), "nodes");
        await waitFor(() => connects() === before + 1, "the new connection");
        const count = values("count").length;
        await waitFor(() => values("count").length > count + 5, "events over the new connection");
        assert.equal(connects(), before + 1);
        await deliversWhatIsDone();
    });

    it("two hundred in a row leave no listener, socket, timer or subscription behind", async function () {
        this.timeout(180_000);
        const before = connects();
        for (let version = 0; version < 200; version++) {
            await nodeRed.deploy(flow(simulator.port, 2000 + version, { keepAlive: "45" }), deployTypes[version % 3] ?? "full");
        }
        const count = values("count").length;
        await waitFor(() => values("count").length > count + 5, "events");
        assert.equal(connects(), before);
        assert.doesNotMatch(nodeRed.log, /MaxListenersExceededWarning/);
        assert.equal(simulator.organisation("org").clients.size, 1);
    });

    it("and the end of Node-RED closes with DISCONNECT", async function () {
        this.timeout(30_000);
        await nodeRed.stop();
        assert.equal(simulator.observed.counts(clientId).disconnect, connects());
    });
});
