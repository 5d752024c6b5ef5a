import assert from "node:assert/strict";
import type { Node, NodeAPI, NodeStatus } from "node-red";
import { GatewayError } from "../../../src/errors";
import { MessageCompletion } from "../../../src/node-red/message-completion";
import { NodeOutput } from "../../../src/node-red/node-output";
import { StatusReporter, stepped } from "../../../src/node-red/status-reporter";
import { FakeClock } from "../../support/doubles/fake-clock";

function setUp() {
    const clock = new FakeClock();
    const sent: NodeStatus[] = [];
    const RED: NodeAPI = Object.assign(Object.create(null), {
        _: (key: string, parameters: Record<string, unknown>) => `${key.split(".").at(-1)}(${Object.values(parameters).join()})`,
    });
    const node: Node = Object.assign(Object.create(null), {
        type: "device-event-out",
        status: (status: NodeStatus) => sent.push(status),
        metric: () => undefined,
    });
    const reporter = new StatusReporter(RED, node, clock);
    const message = () => new MessageCompletion(node, new NodeOutput(RED, node, clock), {}, () => undefined, reporter);
    return { sent, reporter, clock, message };
}

const words = (sent: readonly NodeStatus[]) => sent.map((status) => (typeof status === "object" ? status.text : status));

describe("status of a node", () => {
    it("sends a status once for each change, and not if it stays the same", () => {
        const { sent, reporter } = setUp();
        const connected = { fill: "green", shape: "dot", key: "connected" } as const;
        for (let i = 0; i < 10; i++) reporter.show(connected);
        reporter.failed(new GatewayError("GW_REFUSED", "no"), "pump/p1");
        for (let i = 0; i < 10; i++) reporter.show({ ...connected, waiting: 5 });
        reporter.show(connected);
        reporter.clear();
        assert.deepEqual(words(sent), [
            "device-event-out.status.connected",
            "GW_REFUSED pump/p1",
            "queued(connected(),5)",
            "device-event-out.status.connected",
            undefined,
        ]);
    });

    it("shows the number of waiting events in steps", () => {
        assert.deepEqual([1, 2, 3, 5, 9, 10, 49, 50, 99, 100, 999, 1000, 12_430, 1_000_000].map(stepped), [
            "1",
            "2",
            "2+",
            "5",
            "5+",
            "10",
            "20+",
            "50",
            "50+",
            "100",
            "500+",
            "1 000",
            "10 000+",
            "1 000 000",
        ]);
    });

    it("changes a growing number every ten seconds at most, and shows at once that nothing waits any more", () => {
        const { sent, reporter, clock } = setUp();
        const offline = { fill: "red", shape: "ring", key: "disconnected" } as const;
        for (let waiting = 1; waiting <= 1000; waiting++) {
            reporter.show({ ...offline, waiting });
            clock.advance(100);
        }
        const numbers = words(sent).map((text) => /,(.*)\)/.exec(text ?? "")?.[1]);
        assert.deepEqual(numbers, ["1", "100+", "200+", "500+"]);
        reporter.show(offline);
        assert.equal(words(sent).at(-1), "device-event-out.status.disconnected");
    });

    it("shows at once that high events wait, and how many beside the number of all", () => {
        const { sent, reporter } = setUp();
        const offline = { fill: "red", shape: "ring", key: "disconnected", waiting: 40 } as const;
        const draining = { fill: "blue", shape: "dot", key: "draining", waiting: 40, remaining: "1 m" } as const;
        for (const status of [offline, { ...offline, waitingHigh: 3 }, { ...draining, waitingHigh: 2 }, draining]) reporter.show(status);
        assert.deepEqual(words(sent), [
            "queued(disconnected(),20+)",
            "queuedHigh(disconnected(),20+,2+)",
            "drainingHigh(20+,2,1 m)",
            "draining(20+,1 m)",
        ]);
    });

    it("a Status node wired to an event does not change the status indefinitely", () => {
        const { sent, reporter, clock, message } = setUp();
        const offline = { fill: "red", shape: "ring", key: "disconnected" } as const;
        let waiting = 1;
        const hour = 3600;
        for (let second = 0; second < hour; second++) {
            const before = sent.length;
            reporter.show({ ...offline, waiting });
            // Each status becomes an event that waits, and one that cannot wait and fails.
            waiting += sent.length - before;
            if (sent.length > before) message().failed(new GatewayError("GW_NOT_CONNECTED", "no"));
            clock.advance(1000);
        }
        assert.ok(sent.length < 20, `${sent.length} statuses in an hour`);
    });

    it("keeps a failure in sight although the number of waiting events changes", () => {
        const { sent, reporter, clock, message } = setUp();
        const offline = { fill: "red", shape: "ring", key: "disconnected" } as const;
        reporter.show({ ...offline, waiting: 1 });
        reporter.failed(new GatewayError("GW_NOT_CONNECTED", "no"));
        clock.advance(20_000);
        reporter.show({ ...offline, waiting: 50 });
        assert.equal(words(sent).at(-1), "GW_NOT_CONNECTED");
        message().done();
        assert.equal(words(sent).at(-1), "queued(disconnected(),50)");
    });

    it("does not keep showing one bad message while good ones go through", () => {
        const { sent, reporter, clock, message } = setUp();
        reporter.show({ fill: "green", shape: "dot", key: "connected" });
        message().failed(new GatewayError("GW_INVALID_ID", "no"));
        clock.advance(60_000);
        assert.equal(sent.length, 2, "the last message failed");
        message().done();
        message().done();
        assert.deepEqual(words(sent), ["device-event-out.status.connected", "GW_INVALID_ID", "device-event-out.status.connected"]);
    });

    it("shows a steady status while bad and good messages alternate", () => {
        const { sent, reporter, clock, message } = setUp();
        reporter.show({ fill: "green", shape: "dot", key: "connected" });
        for (let n = 0; n < 1000; n++) {
            message().failed(new GatewayError("GW_INVALID_ID", "no"));
            message().done();
            clock.advance(10);
        }
        assert.equal(sent.length, 2);
        clock.advance(5_000);
        message().done();
        assert.equal(words(sent).at(-1), "device-event-out.status.connected");
    });

    it("shows the current state of the connection after a failure", () => {
        const { sent, reporter, clock, message } = setUp();
        reporter.failed(new GatewayError("GW_REFUSED", "no"), "pump/p1");
        reporter.show({ fill: "blue", shape: "ring", key: "held", parameters: { count: 1 } });
        clock.advance(60_000);
        message().done();
        assert.deepEqual(words(sent), ["GW_REFUSED pump/p1", "held(1)"]);
    });

    it("leaves the translation of a status without parameters to each editor", () => {
        const { sent, reporter } = setUp();
        reporter.show({ fill: "red", shape: "ring", key: "refused" });
        reporter.show({ fill: "red", shape: "ring", key: "takenOver", parameters: { client: "g:org:gw:g1" }, waiting: 2 });
        assert.deepEqual(sent, [
            { fill: "red", shape: "ring", text: "device-event-out.status.refused" },
            { fill: "red", shape: "ring", text: "queued(takenOver(g:org:gw:g1),2)" },
        ]);
    });
});
