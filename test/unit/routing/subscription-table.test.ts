import assert from "node:assert/strict";
import fc from "fast-check";
import type { FilterQos } from "../../../src/routing/disjoint-filters";
import { SubscriptionTable } from "../../../src/routing/subscription-table";
import { filterCovers, filtersOverlap, topicLevels } from "../../../src/routing/topic-filter";

/** The group of a command filter: its type, so that nothing is joined beyond one. */
function groupOf(filter: string): string | undefined {
    const [, , typeId] = topicLevels(filter);
    return typeId === "+" ? undefined : typeId;
}

const command = (typeId: string, deviceId: string, commandId = "+") => `iot-2/type/${typeId}/id/${deviceId}/cmd/${commandId}/fmt/+`;

describe("subscription table", () => {
    it("keeps a filter as long as one user is left, with the highest QoS", () => {
        const table = new SubscriptionTable<string>();
        table.add(command("t", "d"), 0, "one");
        table.add(command("t", "d"), 2, "two");
        assert.deepEqual([...table.serverFilters().filters], [[command("t", "d"), 2]]);
        table.remove(command("t", "d"), "two");
        assert.deepEqual([...table.serverFilters().filters], [[command("t", "d"), 0]]);
        table.remove(command("t", "d"), "nobody");
        table.remove(command("t", "d"), "one");
        assert.equal(table.isEmpty, true);
        assert.deepEqual([...table.serverFilters().filters], []);
    });

    it("names the users behind a joined filter", () => {
        const table = new SubscriptionTable<string>();
        table.add(command("t", "d1"), 1, "one");
        table.add(command("t", "+"), 1, "two");
        table.add(command("u", "d1"), 1, "three");
        table.add(command("t", "+"), 1, "one");
        const filters = table.filtersUnder(command("t", "+"));
        assert.deepEqual(filters, [command("t", "d1"), command("t", "+")]);
        assert.deepEqual(table.usersOf([...filters, "unknown"]), ["one", "two"]);
    });

    it("stays within the limit by joining the largest group first, and leaves the others alone", () => {
        const table = new SubscriptionTable<string>({ maxFilters: 5, groupOf });
        for (const device of ["d1", "d2", "d3", "d4"]) table.add(command("big", device), 1, device);
        for (const device of ["d1", "d2"]) table.add(command("small", device), 1, device);
        const { filters, neededFilters } = table.serverFilters();
        assert.equal(neededFilters, 6);
        assert.deepEqual([...filters.keys()].sort(), [command("big", "+"), command("small", "d1"), command("small", "d2")]);
    });

    it("joins filters as narrowly as possible", () => {
        const table = new SubscriptionTable<string>({ maxFilters: 1, groupOf });
        table.add(command("t", "d1", "reboot"), 1, "one");
        table.add(command("t", "d2", "reboot"), 1, "two");
        assert.deepEqual([...table.serverFilters().filters.keys()], [command("t", "+", "reboot")]);
    });

    it("never joins across types, even if that means more filters than the limit", () => {
        const table = new SubscriptionTable<string>({ maxFilters: 1, groupOf });
        table.add(command("t", "d1"), 1, "one");
        table.add(command("t", "d2"), 1, "two");
        table.add(command("+", "d3"), 1, "three");
        const { filters } = table.serverFilters();
        assert.deepEqual([...filters.keys()].sort(), [command("+", "d3"), command("t", "d1"), command("t", "d2")].sort());
    });

    it("covers every wanted filter and never overlaps, with any limit", () => {
        const name = fc.constantFrom("+", "a", "b", "c");
        const filters = fc.array(fc.tuple(name, name, name, fc.constantFrom<FilterQos>(0, 1, 2)), { maxLength: 12 });
        fc.assert(
            fc.property(filters, fc.integer({ min: 1, max: 6 }), (wanted, maxFilters) => {
                const table = new SubscriptionTable<number>({ maxFilters, groupOf });
                wanted.forEach(([typeId, deviceId, commandId, qos], user) => {
                    table.add(command(typeId, deviceId, commandId), qos, user);
                });
                const held = [...table.serverFilters().filters.keys()];
                for (const [typeId, deviceId, commandId] of wanted) {
                    const covering = held.filter((filter) => filterCovers(filter, command(typeId, deviceId, commandId)));
                    assert.equal(covering.length, 1);
                }
                held.forEach((one, i) => {
                    for (const other of held.slice(i + 1)) assert.equal(filtersOverlap(one, other), false);
                });
            }),
            { numRuns: 300 },
        );
    });
});
