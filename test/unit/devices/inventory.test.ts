import assert from "node:assert/strict";
import { type DeviceStore, Inventory } from "../../../src/devices/inventory/inventory";
import type { RegistrationState } from "../../../src/devices/registration/registration-types";
import { FakeClock } from "../../support/doubles/fake-clock";

const minute = 60_000;

/** A store that keeps what it is given and counts the writes. */
class MapStore implements DeviceStore {
    readonly values = new Map<string, string>();
    writes = 0;

    entries(): Iterable<[string, string]> {
        return this.values;
    }

    put(_kind: string, key: string, value: string): void {
        this.writes++;
        this.values.set(key, value);
    }

    remove(_kind: string, key: string): void {
        this.values.delete(key);
    }
}

function create({ store = new MapStore(), maxDevices = 100_000, clock = new FakeClock(), isLoaded = true } = {}) {
    const states = new Map<string, RegistrationState>();
    const forgotten: string[] = [];
    const asked = { states: 0 };
    const inventory = new Inventory({
        clock,
        store,
        maxDevices,
        registration: {
            stateOf: (device) => {
                asked.states++;
                return states.get(device) ?? { phase: "new" };
            },
            forget: (device) => forgotten.push(device) > 0,
            restoreKnown: (device) => states.set(device, { phase: "known" }),
            restoreHeld: (device, hold) => states.set(device, { phase: "held", hold }),
        },
    });
    if (isLoaded) inventory.load();
    const change = (device: string, state: RegistrationState) => {
        states.set(device, state);
        inventory.registrationChanged(device, state);
    };
    return { inventory, store, clock, states, forgotten, asked, change };
}

describe("device inventory", () => {
    it("counts and dates the events, commands and refusals of each device", () => {
        const { inventory, clock, change } = create();
        const start = clock.now();
        inventory.eventSeen("t/a", "status");
        clock.advance(5);
        inventory.eventSeen("t/a", "alarm");
        inventory.commandSeen("t/a", "reboot");
        inventory.refusalSeen("t/a");
        change("t/a", { phase: "known" });
        assert.deepEqual(inventory.query().devices, [
            {
                typeId: "t",
                deviceId: "a",
                registration: { phase: "known" },
                firstSeenAt: start,
                lastEventAt: start + 5,
                lastCommandAt: start + 5,
                events: 2,
                commands: 1,
                refusals: 1,
            },
        ]);
    });

    it("writes a registration when it changes and counters once a minute", () => {
        const { inventory, store, clock, change } = create();
        change("t/a", { phase: "known" });
        assert.equal(store.writes, 1);
        for (let count = 0; count < 1000; count++) inventory.eventSeen("t/a", "e");
        assert.equal(store.writes, 1);
        clock.advance(minute);
        assert.equal(store.writes, 2);
        clock.advance(10 * minute);
        assert.equal(store.writes, 2, "nothing has changed");
        assert.equal(clock.timerCount, 0);
    });

    it("writes a large inventory in slices", () => {
        const { inventory, store, clock } = create();
        for (let index = 0; index < 1200; index++) inventory.eventSeen(`t/${index}`, "e");
        clock.advance(minute);
        assert.equal(store.writes, 500);
        clock.advance(100);
        assert.equal(store.writes, 1200);
    });

    it("keeps counters, known devices and holds over a restart", () => {
        const first = create();
        first.inventory.eventSeen("t/a", "e");
        first.change("t/a", { phase: "known" });
        const hold = { reason: "refused", until: first.clock.now() + minute, failures: 3, rc: 177, text: "no" } as const;
        first.change("t/b", { phase: "held", hold });
        first.change("t/c", { phase: "known" });
        first.change("t/c", { phase: "new" });
        first.inventory.commandSeen("t/b", "c");
        first.inventory.close();
        assert.equal(first.clock.timerCount, 0);

        const second = create({ store: first.store });
        assert.deepEqual(second.states.get("t/a"), { phase: "known" });
        assert.deepEqual(second.states.get("t/b"), { phase: "held", hold });
        assert.equal(second.states.has("t/c"), false);
        assert.deepEqual(
            second.inventory.query().devices.map(({ deviceId, events, commands }) => [deviceId, events, commands]),
            [
                ["a", 1, 0],
                ["b", 0, 1],
                ["c", 0, 0],
            ],
        );
    });

    it("adds counts from before the store was open, and writes nothing until then", () => {
        const hold = { reason: "refused", until: Date.UTC(2027, 0, 1), failures: 1 } as const;
        const first = create();
        first.inventory.eventSeen("t/a", "e");
        for (const device of ["t/a", "t/b", "t/c"]) first.change(device, { phase: "known" });
        first.inventory.close();
        const { writes } = first.store;
        const second = create({ store: first.store, isLoaded: false });
        second.inventory.eventSeen("t/a", "e");
        second.change("t/b", { phase: "held", hold });
        second.change("t/new", { phase: "known" });
        second.clock.advance(10 * minute);
        assert.equal(first.store.writes, writes);
        second.inventory.load();
        second.clock.advance(minute);
        assert.deepEqual(Object.fromEntries(second.states), {
            "t/a": { phase: "known" },
            "t/b": { phase: "held", hold },
            "t/c": { phase: "known" },
            "t/new": { phase: "known" },
        });
        second.inventory.eventSeen("t/a", "e");
        second.inventory.close();
        const third = create({ store: first.store });
        assert.equal(third.inventory.query().devices[0]?.events, 3);
        assert.deepEqual(third.states, second.states);
    });

    it("closes without an error if its store never opened", () => {
        const { inventory, store, clock, change } = create({ isLoaded: false });
        inventory.eventSeen("t/a", "e");
        change("t/a", { phase: "known" });
        inventory.close();
        assert.deepEqual([store.writes, clock.timerCount], [0, 0]);
    });

    it("reads a broken record as a new device", () => {
        const store = new MapStore();
        for (const [index, text] of ["", "[]", "null", "{}", '{"events":"x","hold":{"reason":"odd"},"isKnown":1}'].entries()) {
            store.values.set(`t/${index}`, text);
        }
        const { inventory, states } = create({ store });
        assert.equal(inventory.query().total, 5);
        assert.equal(states.size, 0);
    });

    it("forgets the devices with the longest silence when there are too many, but none that is being registered", () => {
        const { inventory, store, clock, forgotten, change, states } = create({ maxDevices: 100 });
        for (let index = 0; index < 100; index++) change(`t/${index}`, { phase: "known" });
        states.set("t/1", { phase: "contacting" });
        inventory.eventSeen("t/0", "e");
        clock.advance(minute);
        inventory.eventSeen("t/new", "e");
        assert.deepEqual(forgotten, ["t/2", "t/3"]);
        assert.equal(inventory.size, 99);
        assert.equal(store.values.has("t/2"), false);
    });

    it("forgets a device on request, in the store as well, but none that is being registered", () => {
        const clock = new FakeClock();
        const store = new MapStore();
        let isFree = true;
        const inventory = new Inventory({
            clock,
            store,
            registration: {
                stateOf: () => ({ phase: "contacting" }),
                forget: () => isFree,
                restoreKnown: () => undefined,
                restoreHeld: () => undefined,
            },
        });
        inventory.load();
        inventory.registrationChanged("t/a", { phase: "known" });
        inventory.registrationChanged("t/b", { phase: "known" });
        inventory.eventSeen("t/a", "e");
        assert.equal(inventory.forget("t/a"), true);
        assert.equal(inventory.forget("t/a"), false, "it is not remembered any more");
        isFree = false;
        assert.equal(inventory.forget("t/b"), false);
        clock.advance(minute);
        assert.deepEqual([...store.values.keys()], ["t/b"], "counters that were due do not bring it back");
    });

    it("stays bounded and fast under a flood of commands for unknown devices", () => {
        const { inventory, store, asked, change } = create({ maxDevices: 1000 });
        for (let index = 0; index < 500; index++) change(`t/known${index}`, { phase: "known" });
        const flooded = 20_000;
        for (let index = 0; index < flooded; index++) inventory.commandSeen(`t/${index}`, "c");
        assert.ok(inventory.size <= 1000, `${inventory.size} devices`);
        assert.ok(asked.states < 200 * flooded, `${asked.states} look-ups`);
        assert.equal([...store.values.keys()].filter((device) => device.startsWith("t/known")).length, 500);
        inventory.close();
        assert.ok(store.writes <= 1500, `${store.writes} writes`);
    });

    it("forgets even active devices when there are too many", () => {
        const { inventory, forgotten, change } = create({ maxDevices: 100 });
        for (let index = 0; index < 101; index++) {
            inventory.eventSeen(`t/${index}`, "e");
            change(`t/${index}`, { phase: "known" });
        }
        inventory.eventSeen("t/new", "e");
        assert.deepEqual(forgotten, ["t/0", "t/1"]);
        assert.ok(inventory.size <= 100);
    });

    it("stays bounded and fast when ever new devices wait for their registration", () => {
        const { inventory, asked, states, change } = create({ maxDevices: 1000 });
        for (let index = 0; index < 100; index++) change(`t/known${index}`, { phase: "known" });
        const flooded = 20_000;
        for (let index = 0; index < flooded; index++) {
            states.set(`t/${index}`, { phase: "waiting" });
            inventory.eventSeen(`t/${index}`, "e");
        }
        assert.ok(inventory.size <= 1000, `${inventory.size} devices`);
        assert.ok(asked.states < 50 * flooded, `${asked.states} look-ups`);
        assert.equal(inventory.query({ accepts: (_device, { phase }) => phase === "known" }).total, 100, "known devices stay");
    });

    it("knows a device again that it had no room for while it was being registered", () => {
        const { inventory, store, states, change } = create({ maxDevices: 100 });
        for (let index = 0; index < 200; index++) {
            states.set(`t/${index}`, { phase: "waiting" });
            inventory.eventSeen(`t/${index}`, "e");
        }
        change("t/0", { phase: "known" });
        assert.equal(create({ store }).states.get("t/0")?.phase, "known");
    });

    it("searches, filters by phase and pages by 200 in a stable order", () => {
        const { inventory, clock, change } = create();
        for (let index = 0; index < 450; index++) inventory.eventSeen(`pump/${String(index).padStart(3, "0")}`, "e");
        change("valve/v1", { phase: "held", hold: { reason: "swallowed", until: 1, failures: 1 } });
        const first = inventory.query({ search: "PUMP" });
        assert.deepEqual([first.total, first.devices.length, first.devices[0]?.deviceId], [450, 200, "000"]);
        inventory.eventSeen("pump/000", "e");
        clock.advance(minute);
        const last = inventory.query({ search: "pump", page: 2 });
        assert.deepEqual([last.devices.length, last.devices[0]?.deviceId], [50, "400"]);
        assert.deepEqual(
            inventory.query({ accepts: (_device, { phase }) => phase === "held" }).devices.map(({ deviceId }) => deviceId),
            ["v1"],
        );
        assert.deepEqual(inventory.query({ search: "none" }).devices, []);
    });

    it("completes names that it has seen", () => {
        const { inventory } = create();
        inventory.eventSeen("pump/p1", "status");
        inventory.eventSeen("pump/P2", "alarm");
        inventory.commandSeen("valve/v1", "open");
        assert.deepEqual(inventory.names({ of: "typeId" }), ["pump", "valve"]);
        assert.deepEqual(inventory.names({ of: "deviceId", prefix: "p" }), ["P2", "p1"]);
        assert.deepEqual(inventory.names({ of: "deviceId", typeId: "valve" }), ["v1"]);
        assert.deepEqual(inventory.names({ of: "eventId", prefix: "S" }), ["status"]);
        assert.deepEqual(inventory.names({ of: "commandId" }), ["open"]);
    });

    it("bounds the number of remembered names", () => {
        const { inventory } = create();
        for (let index = 0; index < 5000; index++) inventory.eventSeen("t/a", `e${index}`);
        assert.equal(inventory.names({ of: "eventId" }).length, 200);
    });
});
