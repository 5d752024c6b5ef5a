import assert from "node:assert/strict";
import type { Node, NodeAPI, NodeStatus } from "node-red";
import { GatewayError } from "../../../src/errors";
import { StatusReporter } from "../../../src/node-red/status";

function setUp() {
    const sent: NodeStatus[] = [];
    const RED: NodeAPI = Object.assign(Object.create(null), {
        _: (key: string, parameters: Record<string, unknown>) => `${key.split(".").at(-1)}(${Object.values(parameters).join()})`,
    });
    const node: Node = Object.assign(Object.create(null), {
        type: "device-event-out",
        status: (status: NodeStatus) => sent.push(status),
    });
    return { sent, reporter: new StatusReporter(RED, node) };
}

describe("status of a node", () => {
    it("is sent once for each change, and not for what stays the same", () => {
        const { sent, reporter } = setUp();
        const connected = { fill: "green", shape: "dot", key: "connected" } as const;
        for (let i = 0; i < 10; i++) reporter.show(connected);
        reporter.failed(new GatewayError("GW_REFUSED", "no"), "pump/p1");
        reporter.show(connected);
        for (let i = 0; i < 10; i++) reporter.show({ ...connected, waiting: 5 });
        reporter.clear();
        assert.deepEqual(
            sent.map((status) => (typeof status === "object" ? status.text : status)),
            [
                "device-event-out.status.connected",
                "GW_REFUSED pump/p1",
                "device-event-out.status.connected",
                "queued(connected(),5)",
                undefined,
            ],
        );
    });

    it("is left to each editor to translate where it has no parameters", () => {
        const { sent, reporter } = setUp();
        reporter.show({ fill: "red", shape: "ring", key: "refused" });
        reporter.show({ fill: "red", shape: "ring", key: "takenOver", parameters: { client: "g:org:gw:g1" }, waiting: 2 });
        assert.deepEqual(sent, [
            { fill: "red", shape: "ring", text: "device-event-out.status.refused" },
            { fill: "red", shape: "ring", text: "queued(takenOver(g:org:gw:g1),2)" },
        ]);
    });
});
