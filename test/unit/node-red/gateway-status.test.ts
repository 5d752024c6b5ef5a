import assert from "node:assert/strict";
import type { GatewayState } from "../../../src/gateway/gateway-state";
import { duration, gatewayStatus } from "../../../src/node-red/gateway-status";

type Connection = GatewayState["connection"];
type Reason = Extract<Connection, { phase: "waiting" }>["reason"];

function state(connection: Connection, changes: Partial<GatewayState> = {}): GatewayState {
    const idle = {
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
    } as const;
    return { connection, ...idle, storeProblem: undefined, ...changes };
}

const waiting = (reason: Omit<Reason, "text">): Connection => ({ phase: "waiting", retryInMs: 1000, reason: { text: "words", ...reason } });

describe("status of a gateway", () => {
    it("shows the cause as text, or the code if there is no text", () => {
        const keyOf = (reason: Omit<Reason, "text">) => gatewayStatus(state(waiting(reason))).key;
        assert.equal(keyOf({ code: "GW_NETWORK", cause: "hostNotFound" }), "hostNotFound");
        assert.equal(keyOf({ code: "GW_TLS", cause: "certificateExpired" }), "certificateExpired");
        assert.equal(keyOf({ code: "GW_NETWORK" }), "network");
        assert.equal(keyOf({ code: "GW_AUTH" }), "notAuthorised");
        assert.equal(keyOf({ code: "GW_STALLED" }), "stalled");
        assert.equal(keyOf({ code: "GW_CONFIG" }), "config");
    });

    it("shows a gateway that nobody wants connected as closed, and not as a network error", () => {
        const shown = (changes: Partial<GatewayState>) => gatewayStatus(state({ phase: "closed" }, changes));
        assert.deepEqual(shown({ isWanted: false }), { fill: "grey", shape: "ring", key: "closed" });
        assert.deepEqual(shown({ isWanted: false, queued: 7 }), { fill: "grey", shape: "ring", key: "closed", waiting: 7 });
        assert.equal(shown({ isWanted: true }).key, "disconnected");
    });

    it("shows a paused gateway as paused, with what waits, unless there is no connection", () => {
        const online: Connection = { phase: "online", sessionPresent: false };
        const drain = { eventsPerS: 1, remainingMs: 1000 };
        const paused = { isPaused: true, queued: 7, heldDevices: 1, isBacklogged: true, drain };
        assert.deepEqual(gatewayStatus(state(online, paused)), { fill: "yellow", shape: "ring", key: "paused", waiting: 7 });
        assert.equal(gatewayStatus(state(waiting({ code: "GW_NETWORK" }), paused)).key, "network");
        const commands = { inWork: 100, waiting: 1000, isReadingHeld: true };
        assert.equal(gatewayStatus(state(online, { ...paused, commands })).key, "commandsFull");
    });

    it("says that it looks for a culprit, and how many are left out, while it is connected", () => {
        const online = { phase: "online", sessionPresent: false } as const;
        assert.deepEqual(gatewayStatus(state(online, { isSearching: true, leftOut: 1 })), {
            fill: "yellow",
            shape: "ring",
            key: "searching",
        });
        const parameters = { count: 2 };
        assert.deepEqual(gatewayStatus(state(online, { leftOut: 2 })), { fill: "blue", shape: "ring", key: "leftOut", parameters });
        assert.equal(gatewayStatus(state(waiting({ code: "GW_NETWORK" }), { leftOut: 2 })).key, "network");
    });

    it("keeps showing a known cause, in yellow, during the next attempt", () => {
        const shown = (reason: Omit<Reason, "text">) => {
            const { fill, shape, key } = gatewayStatus(state({ phase: "connecting", reason: { text: "words", ...reason } }));
            return [fill, shape, key];
        };
        assert.deepEqual(shown({ code: "GW_NETWORK", cause: "timedOut" }), ["yellow", "ring", "timedOut"]);
        assert.deepEqual(shown({ code: "GW_AUTH" }), ["yellow", "ring", "notAuthorised"]);
        assert.deepEqual(shown({ code: "GW_TAKEN_OVER", clientId: "g:o:t:d" }), ["yellow", "ring", "takenOver"]);
        for (const code of ["GW_NETWORK", "GW_STALLED"] as const) assert.deepEqual(shown({ code }), ["yellow", "ring", "connecting"]);
    });

    it("names the client id that another client uses", () => {
        const { key, parameters } = gatewayStatus(state(waiting({ code: "GW_TAKEN_OVER", clientId: "g:org:gw:g1" })));
        assert.deepEqual([key, parameters], ["takenOver", { client: "g:org:gw:g1" }]);
    });

    it("shows the number of waiting events in every state", () => {
        const queued = { queued: 7 };
        assert.equal(gatewayStatus(state(waiting({ code: "GW_NETWORK", cause: "refused" }), queued)).waiting, 7);
        assert.equal(gatewayStatus(state({ phase: "connecting" }, queued)).waiting, 7);
        assert.equal(gatewayStatus(state({ phase: "closed" })).waiting, undefined);
        const online = { phase: "online", sessionPresent: false } as const;
        assert.equal(gatewayStatus(state(online, queued)).waiting, undefined, "a healthy link always has some under way");
        assert.equal(gatewayStatus(state(online, { ...queued, isBacklogged: true })).waiting, 7);
    });

    it("shows the number of waiting high events beside all of them, and only if there are any", () => {
        const online = { phase: "online", sessionPresent: false } as const;
        const drain = { eventsPerS: 1, remainingMs: 60_000 };
        const states: [GatewayState["connection"], Partial<GatewayState>][] = [
            [waiting({ code: "GW_NETWORK" }), {}],
            [{ phase: "connecting" }, {}],
            [online, { isBacklogged: true }],
            [online, { isBacklogged: true, drain }],
        ];
        for (const [connection, changes] of states) {
            const shown = (waitingHigh: number) => gatewayStatus(state(connection, { queued: 7, waitingHigh, ...changes }));
            assert.deepEqual([shown(3).waiting, shown(3).waitingHigh], [7, 3]);
            assert.deepEqual([shown(0).waiting, "waitingHigh" in shown(0)], [7, false]);
        }
    });

    it("shows the progress of a backlog at a glance", () => {
        const online = { phase: "online", sessionPresent: false } as const;
        const drain = { eventsPerS: 1.7, remainingMs: (2 * 60 + 3.5) * 60_000 };
        const { key, waiting: events, remaining } = gatewayStatus(state(online, { queued: 12_430, isBacklogged: true, drain }));
        assert.deepEqual([key, events, remaining], ["draining", 12_430, "2 h 04 m"]);
        assert.deepEqual([44_100, 60_000, 3_540_001].map(duration), ["45 s", "1 m", "1 h 00 m"]);
    });
});
