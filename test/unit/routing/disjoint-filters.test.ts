import assert from "node:assert/strict";
import fc from "fast-check";
import { disjointFilters, type FilterQos } from "../../../src/routing/disjoint-filters";
import { filterCovers, filtersOverlap, joinFilters } from "../../../src/routing/topic-filter";
import { allTopics, filterArbitrary } from "./arbitraries";

const wantedArbitrary = fc.array(fc.tuple(filterArbitrary, fc.constantFrom<FilterQos>(0, 1, 2)), { maxLength: 8 });

describe("topic filters", () => {
    it("two filters overlap exactly if some topic matches both", () => {
        fc.assert(
            fc.property(filterArbitrary, filterArbitrary, (one, other) => {
                const common = allTopics.some((topic) => filterCovers(one, topic) && filterCovers(other, topic));
                assert.equal(filtersOverlap(one, other), common);
            }),
            { numRuns: 300 },
        );
    });

    it("a filter covers another only if it matches every topic of the other", () => {
        fc.assert(
            fc.property(filterArbitrary, filterArbitrary, (one, other) => {
                const all = allTopics.every((topic) => !filterCovers(other, topic) || filterCovers(one, topic));
                if (filterCovers(one, other)) assert.ok(all);
            }),
            { numRuns: 300 },
        );
    });

    it("overlapping filters join to one that covers both", () => {
        fc.assert(
            fc.property(filterArbitrary, filterArbitrary, (one, other) => {
                fc.pre(filtersOverlap(one, other));
                const joined = joinFilters(one, other);
                assert.ok(filterCovers(joined, one) && filterCovers(joined, other));
            }),
        );
    });
});

describe("disjoint filters", () => {
    it("disjoint filters cover all wanted filters, never overlap, and do not depend on the order", () => {
        fc.assert(
            fc.property(wantedArbitrary, fc.infiniteStream(fc.nat()), (wanted, seeds) => {
                const filters = new Map(wanted);
                const disjoint = disjointFilters(filters);
                const held = [...disjoint.keys()];
                for (const [filter, qos] of filters) {
                    const cover = held.filter((candidate) => filterCovers(candidate, filter));
                    assert.equal(cover.length, 1, `${filter} in ${held.join(" ")}`);
                    assert.ok((disjoint.get(cover[0] ?? "") ?? -1) >= qos);
                }
                held.forEach((one, i) => {
                    for (const other of held.slice(i + 1)) assert.equal(filtersOverlap(one, other), false, `${one} ${other}`);
                });
                const shuffled = [...filters]
                    .map((entry) => ({ entry, place: Number(seeds.next().value) }))
                    .sort((a, b) => a.place - b.place);
                assert.deepEqual(
                    new Map([...disjointFilters(new Map(shuffled.map(({ entry }) => entry)))].sort()),
                    new Map([...disjoint].sort()),
                );
            }),
            { numRuns: 500 },
        );
    });

    it("filters that do not overlap stay unchanged", () => {
        const wanted = new Map<string, FilterQos>([
            ["iot-2/type/t/id/d1/cmd/+/fmt/+", 1],
            ["iot-2/type/t/id/d2/cmd/+/fmt/+", 0],
            ["iot-2/type/gw/id/g/notify", 0],
        ]);
        assert.deepEqual(disjointFilters(wanted), wanted);
    });

    it("partially overlapping filters are replaced by their join", () => {
        const wanted = new Map<string, FilterQos>([
            ["iot-2/type/t/id/+/cmd/reboot/fmt/+", 1],
            ["iot-2/type/t/id/d/cmd/+/fmt/json", 2],
        ]);
        assert.deepEqual(disjointFilters(wanted), new Map([["iot-2/type/t/id/+/cmd/+/fmt/+", 2]]));
    });

    it("ten thousand devices and one filter over all of them take little time", () => {
        const wanted = new Map<string, FilterQos>();
        for (let i = 0; i < 10_000; i++) wanted.set(`iot-2/type/t/id/d${i}/cmd/+/fmt/+`, 1);
        assert.equal(disjointFilters(wanted).size, 10_000);
        wanted.set("iot-2/type/+/id/+/cmd/+/fmt/+", 0);
        assert.deepEqual(disjointFilters(wanted), new Map([["iot-2/type/+/id/+/cmd/+/fmt/+", 1]]));
    });
});
