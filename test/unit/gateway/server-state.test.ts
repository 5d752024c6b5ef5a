import assert from "node:assert/strict";
import { DeviceRecord } from "../../../src/devices/inventory/device-record";
import { ServerState } from "../../../src/gateway/server-state";
import { openStore } from "../../../src/outbox/store/open-store";
import type { StateStore } from "../../../src/outbox/store/store";
import { FakeClock } from "../../support/doubles/fake-clock";

function emptyFile(): StateStore {
    const listener = { failed: () => {}, recovered: () => {} };
    const owner = { orgId: "org", typeId: "gw", deviceId: "gw1" };
    return openStore({ mode: "memory", directory: undefined, owner, clock: new FakeClock(), listener }).state;
}

/** Opens the file for a server, as a start of the gateway does. */
function enter(file: StateStore, server: string): { state: ServerState; previous: string | undefined } {
    const state = new ServerState(file, server);
    return { state, previous: state.enter() };
}

function note(file: StateStore, device: string, isKnown: boolean, events = 1): void {
    const record = new DeviceRecord(1);
    record.isKnown = isKnown;
    record.events = events;
    if (!isKnown) record.hold = { reason: "refused", until: 99, failures: 2, rc: 173 };
    file.put("device", device, record.encode());
}

function recordOf(file: StateStore, device: string): DeviceRecord {
    return DeviceRecord.decode(new Map(file.entries("device")).get(device) ?? "");
}

describe("the state of a server", () => {
    it("stays as it is when the gateway starts again on the same server", () => {
        const file = emptyFile();
        assert.equal(enter(file, "a:1883").previous, undefined);
        note(file, "t/known", true);
        assert.equal(enter(file, "a:1883").previous, undefined);
        assert.equal(recordOf(file, "t/known").isKnown, true);
    });

    it("takes over the devices and filters of a file that names no server", () => {
        const file = emptyFile();
        note(file, "t/known", true);
        file.put("filter", "iot-2/type/+/id/+/cmd/+/fmt/+", "");
        const { state, previous } = enter(file, "a:1883");
        assert.equal(previous, undefined);
        assert.equal(recordOf(file, "t/known").isKnown, true);
        assert.deepEqual([...state.entries("filter")], [["iot-2/type/+/id/+/cmd/+/fmt/+", ""]]);
        assert.deepEqual([...file.entries("filter")], []);
    });

    it("knows no device, filter or sign on another server, and keeps the counters", () => {
        const file = emptyFile();
        const { state: first } = enter(file, "a:1883");
        note(file, "t/known", true, 7);
        note(file, "t/held", false, 8);
        first.put("filter", "f", "");
        first.signGiven();
        const { state, previous } = enter(file, "b:1883");
        assert.equal(previous, "a:1883");
        for (const [device, events] of [
            ["t/known", 7],
            ["t/held", 8],
        ] as const) {
            const { isKnown, hold, events: counted } = recordOf(file, device);
            assert.deepEqual({ isKnown, hold, counted }, { isKnown: false, hold: undefined, counted: events });
        }
        assert.deepEqual([...state.entries("filter")], []);
        assert.equal(state.hasGivenSign, false);
    });

    it("finds what the first server knew when the gateway goes back to it", () => {
        const file = emptyFile();
        const { state: first } = enter(file, "a:1883");
        note(file, "t/known", true);
        note(file, "t/held", false);
        first.put("filter", "f", "");
        first.signGiven();
        enter(file, "b:1883");
        note(file, "t/held", true);
        note(file, "t/later", true);
        const { state } = enter(file, "a:1883");
        assert.equal(recordOf(file, "t/known").isKnown, true);
        assert.deepEqual(recordOf(file, "t/held").hold, { reason: "refused", until: 99, failures: 2, rc: 173 });
        assert.equal(recordOf(file, "t/later").isKnown, false);
        assert.deepEqual([...state.entries("filter")], [["f", ""]]);
        assert.equal(state.hasGivenSign, true);
        enter(file, "b:1883");
        assert.equal(recordOf(file, "t/later").isKnown, true);
        assert.equal(recordOf(file, "t/held").isKnown, true);
        assert.equal(recordOf(file, "t/known").isKnown, false);
    });

    it("does not bring back a device that was forgotten on another server", () => {
        const file = emptyFile();
        enter(file, "a:1883");
        note(file, "t/d", true);
        enter(file, "b:1883");
        file.remove("device", "t/d");
        enter(file, "a:1883");
        assert.deepEqual([...file.entries("device")], []);
    });

    it("is kept for four servers, those used last", () => {
        const file = emptyFile();
        for (const server of ["a", "b", "c", "d", "b", "e"]) {
            const { state } = enter(file, server);
            state.put("filter", `of ${server}`, "");
            state.signGiven();
        }
        const filtersOn = (server: string) => [...new ServerState(file, server).entries("filter")].map(([filter]) => filter);
        assert.deepEqual(["a", "b", "c", "d", "e"].map(filtersOn), [[], ["of b"], ["of c"], ["of d"], ["of e"]]);
        assert.equal(new ServerState(file, "a").hasGivenSign, false);
        assert.equal(new ServerState(file, "d").hasGivenSign, true);
    });
});
