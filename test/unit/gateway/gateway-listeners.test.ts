import assert from "node:assert/strict";
import { GatewayError } from "../../../src/errors";
import { type GatewayListener, GatewayListeners } from "../../../src/gateway/gateway-listeners";
import type { GatewayState } from "../../../src/gateway/gateway-state";
import { FakeClock } from "../../support/doubles/fake-clock";

const state: GatewayState = {
    connection: { phase: "closed" },
    isWanted: true,
    isPaused: false,
    commands: { inWork: 0, waiting: 0, isReadingHeld: false },
    queued: 0,
    waitingHigh: 0,
    isBacklogged: false,
    drain: undefined,
    isSearching: false,
    leftOut: 0,
    heldDevices: 0,
    suspectedDevices: 0,
    unansweredDevices: 0,
    outbox: "disk",
    isDegraded: false,
    storeProblem: undefined,
};
const late = { _msgid: "m", typeId: "t", deviceId: "d", eventId: "e" };
const refused = new GatewayError("GW_REFUSED", "refused");

describe("gateway listeners", () => {
    function setUp(owned: readonly string[] = ["node"]) {
        const clock = new FakeClock();
        const told: string[] = [];
        const numbers = { queued: 0, suspectedDevices: 0 };
        const listeners = new GatewayListeners(clock, () => ({ ...state, ...numbers }));
        const listener: GatewayListener = {
            stateChanged: () => told.push("state"),
            problem: (error, name) => told.push(`${name}: ${error.message}`),
            log: (text) => told.push(text),
            warn: (text) => told.push(`warning: ${text}`),
            failedLater: (nodeId) => owned.includes(nodeId) && told.push(`failed on ${nodeId}`) > 0,
            failedOrphan: () => told.push("failed on the gateway"),
            undelivered: (nodeId) => (owned.includes(nodeId) ? told.push(`undelivered on ${nodeId}`) > 0 : undefined),
            undeliveredOrphan: () => told.push("undelivered on the gateway") > 0,
        };
        return { clock, told, listeners, listener, numbers };
    }

    it("reports constantly changing numbers at most once a second", () => {
        const { clock, told, listeners, listener } = setUp();
        listeners.add(listener);
        for (let n = 0; n < 1000; n++) listeners.countsChanged();
        assert.deepEqual(told, []);
        clock.advance(1000);
        assert.deepEqual(told, ["state"]);
        assert.equal(clock.timerCount, 0);
    });

    it("keeps reporting numbers while events wait, and stops when closed", () => {
        const { clock, told, listeners, listener, numbers } = setUp();
        listeners.add(listener);
        numbers.queued = 3;
        listeners.countsChanged();
        clock.advance(3000);
        assert.deepEqual(told, ["state", "state", "state"]);
        numbers.queued = 0;
        clock.advance(10_000);
        assert.equal(told.length, 4);
        assert.equal(clock.timerCount, 0);
        numbers.queued = 1;
        listeners.stateChanged();
        listeners.close();
        listeners.stateChanged();
        assert.equal(clock.timerCount, 0);
    });

    it("reports a problem once, and again only if it changes or was solved", () => {
        const { told, listeners, listener } = setUp();
        listeners.add(listener);
        const problem = (text: string) => listeners.problem(new GatewayError("GW_NETWORK", text), "network");
        problem("refused");
        problem("refused");
        problem("timed out");
        listeners.solved();
        problem("timed out");
        assert.deepEqual(told, ["network: refused", "network: timed out", "network: timed out"]);
    });

    it("raises a late error on the node that sent the event, or on the gateway if the node is gone", () => {
        const { told, listeners, listener } = setUp();
        listeners.add(listener);
        listeners.failedLater("node", refused, late);
        listeners.failedLater("gone", refused, late);
        assert.deepEqual(told, ["failed on node", "failed on the gateway"]);
    });

    it("keeps late errors during a deploy until the nodes are back, so that none is lost", () => {
        const { told, listeners, listener } = setUp();
        listeners.pause();
        listeners.failedLater("node", refused, late);
        listeners.add(listener);
        assert.deepEqual(told, []);
        listeners.resume();
        assert.deepEqual(told, ["failed on node"]);
    });

    it("keeps reports while a deploy has stopped every node, and delivers them in order when the nodes are back", () => {
        const { told, listeners, listener } = setUp();
        const leave = listeners.add(listener);
        listeners.pause();
        leave();
        listeners.problem(new GatewayError("GW_NETWORK", "reset"), "network");
        listeners.log("connected");
        listeners.solved();
        listeners.problem(new GatewayError("GW_NETWORK", "refused"), "network");
        listeners.storageProblem(new GatewayError("GW_STORE", "full"));
        listeners.add(listener);
        listeners.problem(new GatewayError("GW_NETWORK", "refused"), "network");
        assert.deepEqual(told, []);
        listeners.resume();
        assert.deepEqual(told, ["network: reset", "connected", "network: refused", "store: full"]);
    });

    it("keeps at most a thousand reports during a deploy, and none once the flows run", () => {
        const { clock, told, listeners, listener } = setUp();
        listeners.pause();
        for (let n = 0; n < 1001; n++) listeners.storageProblem(new GatewayError("GW_STORE", String(n)));
        listeners.resume();
        listeners.storageProblem(new GatewayError("GW_STORE", "to nobody"));
        listeners.pause();
        for (let n = 0; n < 1001; n++) listeners.storageProblem(new GatewayError("GW_STORE", String(n)));
        listeners.add(listener);
        listeners.resume();
        assert.equal(told.length, 1000);
        assert.equal(clock.timerCount, 0);
    });

    it("reports late errors beyond a thousand at once, so that memory stays bounded", () => {
        const { told, listeners, listener } = setUp();
        listeners.add(listener);
        listeners.pause();
        for (let n = 0; n < 1001; n++) listeners.failedLater("node", refused, late);
        assert.equal(told.length, 1);
    });

    it("logs at most sixty lines a minute, and counts the others", () => {
        const { clock, told, listeners, listener } = setUp();
        listeners.add(listener);
        for (let n = 0; n < 100; n++) listeners.warn("again");
        assert.equal(told.length, 60);
        clock.advance(60_000);
        listeners.log("later");
        assert.deepEqual(told.slice(60), ["warning: Further lines omitted from the log: 40.", "later"]);
    });
});
