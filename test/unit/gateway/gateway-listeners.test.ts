import assert from "node:assert/strict";
import { GatewayError } from "../../../src/errors";
import { type GatewayListener, GatewayReports } from "../../../src/gateway/gateway-listeners";
import type { GatewayState } from "../../../src/gateway/gateway-state";
import { FakeClock } from "../../support/fake-clock";

const state: GatewayState = {
    connection: { phase: "closed" },
    queued: 0,
    isBacklogged: false,
    drain: undefined,
    heldDevices: 0,
    outbox: "disk",
    isDegraded: false,
    storeProblem: undefined,
};
const late = { _msgid: "m", typeId: "t", deviceId: "d", eventId: "e" };
const refused = new GatewayError("GW_REFUSED", "refused");

describe("gateway reports", () => {
    function setUp(owned: readonly string[] = ["node"]) {
        const clock = new FakeClock();
        const told: string[] = [];
        const numbers = { queued: 0 };
        const reports = new GatewayReports(clock, () => ({ ...state, ...numbers }));
        const listener: GatewayListener = {
            stateChanged: () => told.push("state"),
            problem: (error, name) => told.push(`${name}: ${error.message}`),
            log: (text) => told.push(text),
            warn: (text) => told.push(`warning: ${text}`),
            failedLater: (nodeId) => owned.includes(nodeId) && told.push(`failed on ${nodeId}`) > 0,
            failedOrphan: () => told.push("failed on the gateway"),
        };
        return { clock, told, reports, listener, numbers };
    }

    it("tell numbers that change all the time at most once a second", () => {
        const { clock, told, reports, listener } = setUp();
        reports.add(listener);
        for (let n = 0; n < 1000; n++) reports.countsChanged();
        assert.deepEqual(told, []);
        clock.advance(1000);
        assert.deepEqual(told, ["state"]);
        assert.equal(clock.timerCount, 0);
    });

    it("go on telling numbers as long as events wait, and end when they are closed", () => {
        const { clock, told, reports, listener, numbers } = setUp();
        reports.add(listener);
        numbers.queued = 3;
        reports.countsChanged();
        clock.advance(3000);
        assert.deepEqual(told, ["state", "state", "state"]);
        numbers.queued = 0;
        clock.advance(10_000);
        assert.equal(told.length, 4);
        assert.equal(clock.timerCount, 0);
        numbers.queued = 1;
        reports.stateChanged();
        reports.close();
        reports.stateChanged();
        assert.equal(clock.timerCount, 0);
    });

    it("tell a problem once, and again only when it is another or was solved", () => {
        const { told, reports, listener } = setUp();
        reports.add(listener);
        const problem = (text: string) => reports.problem(new GatewayError("GW_NETWORK", text), "network");
        problem("refused");
        problem("refused");
        problem("timed out");
        reports.solved();
        problem("timed out");
        assert.deepEqual(told, ["network: refused", "network: timed out", "network: timed out"]);
    });

    it("raise a late error on the node that sent the event, or on the gateway when that is gone", () => {
        const { told, reports, listener } = setUp();
        reports.add(listener);
        reports.failedLater("node", refused, late);
        reports.failedLater("gone", refused, late);
        assert.deepEqual(told, ["failed on node", "failed on the gateway"]);
    });

    it("keep late errors during a deploy until the nodes are back, so that none is lost", () => {
        const { told, reports, listener } = setUp();
        reports.hold();
        reports.failedLater("node", refused, late);
        reports.add(listener);
        assert.deepEqual(told, []);
        reports.release();
        assert.deepEqual(told, ["failed on node"]);
    });

    it("keep what happens while a deploy has stopped every node, and tell it in order when they are back", () => {
        const { told, reports, listener } = setUp();
        const leave = reports.add(listener);
        reports.hold();
        leave();
        reports.problem(new GatewayError("GW_NETWORK", "reset"), "network");
        reports.log("connected");
        reports.solved();
        reports.problem(new GatewayError("GW_NETWORK", "refused"), "network");
        reports.storageProblem(new GatewayError("GW_STORE", "full"));
        reports.add(listener);
        reports.problem(new GatewayError("GW_NETWORK", "refused"), "network");
        assert.deepEqual(told, []);
        reports.release();
        assert.deepEqual(told, ["network: reset", "connected", "network: refused", "store: full"]);
    });

    it("keep no more than a thousand such reports, and none once the flows run", () => {
        const { clock, told, reports, listener } = setUp();
        reports.hold();
        for (let n = 0; n < 1001; n++) reports.storageProblem(new GatewayError("GW_STORE", String(n)));
        reports.release();
        reports.storageProblem(new GatewayError("GW_STORE", "to nobody"));
        reports.hold();
        for (let n = 0; n < 1001; n++) reports.storageProblem(new GatewayError("GW_STORE", String(n)));
        reports.add(listener);
        reports.release();
        assert.equal(told.length, 1000);
        assert.equal(clock.timerCount, 0);
    });

    it("tell late errors beyond a thousand at once, so that memory stays bounded", () => {
        const { told, reports, listener } = setUp();
        reports.add(listener);
        reports.hold();
        for (let n = 0; n < 1001; n++) reports.failedLater("node", refused, late);
        assert.equal(told.length, 1);
    });

    it("write sixty lines a minute at most and count the others", () => {
        const { clock, told, reports, listener } = setUp();
        reports.add(listener);
        for (let n = 0; n < 100; n++) reports.warn("again");
        assert.equal(told.length, 60);
        clock.advance(60_000);
        reports.log("later");
        assert.deepEqual(told.slice(60), ["warning: Further lines left out of the log: 40.", "later"]);
    });
});
