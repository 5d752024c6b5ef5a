import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { gatewayNode } from "../support/drivers/flow-runner";
import { NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { SeededRandom } from "../support/seeded-random";
import { waitFor } from "../support/wait-for";

/** A port that nothing listens on: the gateway has something to report as soon as the flows run. */
const deadPort = 1;
const users = ["device-event-out", "device-command-in", "gateway-notify-in", "dm-responder"] as const;
/** What a program that writes flows may put into any property, and an editor would not. */
const oddities = [
    undefined,
    null,
    "",
    0,
    -1,
    true,
    [],
    {},
    "__proto__",
    "gateway",
    "tab",
    "nowhere",
    ["tab"],
    { id: "tab" },
    "${TOKEN}",
    "\u0000",
];

/** Never the name of a type: Node-RED would take the type of a node for a reference to it, and start neither. */
function idOf(type: string): string {
    return `the-${type}`;
}

/** One of each node without a place on any tab, as an API posts it, and nodes that watch them. */
function flowWithoutPlaces(): object[] {
    return [
        gatewayNode(deadPort),
        ...users.map((type) => ({ id: idOf(type), type, gateway: "gateway", wires: [] })),
        ...["complete", "catch", "status"].map((type) => ({ id: idOf(type), type, scope: null, wires: [] })),
        { id: "scoped", type: "complete", scope: users.map(idOf), wires: [] },
    ];
}

/** Flows with odd, missing or contradictory properties; the same for the same seed. */
function oddFlow(seed: number): object[] {
    const random = new SeededRandom(seed);
    const pick = <T>(from: readonly T[]): T | undefined => from[random.integer(0, from.length - 1)];
    const spoil = (node: Record<string, unknown>): object => {
        for (const name of [
            "x",
            "y",
            "z",
            "g",
            "d",
            "gateway",
            "users",
            "_users",
            "wires",
            "name",
            "scope",
            "typeId",
            "target",
            "env",
            "inputs",
        ]) {
            if (random.next() < 0.15) node[name] = pick(oddities);
            if (random.next() < 0.15) delete node[name];
        }
        return node;
    };
    const placed = { x: 10, y: 10, z: "tab", wires: [[]] };
    return [
        { id: "tab", type: "tab", label: "odd" },
        { id: "group", type: "group", z: "tab", nodes: [idOf("device-event-out"), "inner"] },
        { id: "inner", type: "group", z: "tab", g: "group", nodes: [] },
        spoil({ ...gatewayNode(deadPort) }),
        spoil({ ...gatewayNode(deadPort), id: "gateway2", deviceId: pick(["gw1", "gw2"]) }),
        ...users.map((type) => spoil({ id: idOf(type), type, gateway: pick(["gateway", "gateway2"]), ...placed })),
        ...["complete", "catch", "status"].map((type) =>
            spoil({ id: idOf(type), type, scope: pick([null, "group", users.map(idOf), ["gateway"]]), ...placed }),
        ),
    ];
}

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`a hostile flow file in ${version}`, () => {
        let nodeRed: NodeRedProcess;

        before(async function () {
            this.timeout(90_000);
            nodeRed = await NodeRedProcess.start(module);
        });

        after(async () => nodeRed?.stop());

        function assertRuns(): void {
            assert.ok(nodeRed.isRunning, nodeRed.log.slice(-5000));
        }

        it("nodes without a place and without a broker do not end Node-RED", async function () {
            this.timeout(60_000);
            await nodeRed.deploy(flowWithoutPlaces());
            await waitFor(() => /GW_NETWORK/.test(nodeRed.log) || !nodeRed.isRunning, "the report of the dead port");
            assertRuns();
            const { gateways } = await (await nodeRed.ask("wiotp-gateway/state")).json();
            assert.equal(gateways.length, 1);
        });

        it("forty odd flows do not end Node-RED", async function () {
            this.timeout(120_000);
            for (let seed = 0; seed < 40; seed++) {
                const flow = oddFlow(seed);
                // Node-RED itself may refuse a flow; then there is nothing to survive.
                await nodeRed.deploy(flow).catch((error: unknown) => assert.match(String(error), /^Error: deploy: \d+/, `seed ${seed}`));
                await new Promise((resolve) => setImmediate(resolve));
                assert.ok((await nodeRed.ask("wiotp-gateway/state")).ok, `seed ${seed}: ${JSON.stringify(flow)}`);
                assertRuns();
            }
        });
    });

    describe(`a hostile flow file that ${version} starts with`, () => {
        it("nodes without a place do not end Node-RED at its start", async function () {
            this.timeout(60_000);
            const first = await NodeRedProcess.start(module);
            writeFileSync(path.join(first.userDir, "flows.json"), JSON.stringify(flowWithoutPlaces()));
            await first.kill("SIGTERM");
            const second = await NodeRedProcess.start(module, { userDir: first.userDir });
            try {
                await waitFor(() => /GW_NETWORK/.test(second.log) || !second.isRunning, "the report of the dead port");
                assert.ok(second.isRunning, second.log.slice(-5000));
            } finally {
                await second.stop();
                await first.stop();
            }
        });
    });
}
