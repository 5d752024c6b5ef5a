import assert from "node:assert/strict";
import fc from "fast-check";
import { filterCovers } from "../../../src/routing/topic-filter";
import { TopicTrie } from "../../../src/routing/topic-trie";
import { filterArbitrary, topicArbitrary } from "./arbitraries";

describe("topic trie", () => {
    it("finds exactly what a naive matcher finds, each value once", () => {
        const additions = fc.array(fc.tuple(filterArbitrary, fc.integer({ min: 0, max: 5 })), { maxLength: 20 });
        fc.assert(
            fc.property(additions, fc.array(fc.nat(19)), topicArbitrary, (added, removed, topic) => {
                const trie = new TopicTrie<number>();
                const present = new Map<string, Set<number>>();
                for (const [filter, value] of added) {
                    trie.add(filter, value);
                    present.set(filter, (present.get(filter) ?? new Set()).add(value));
                }
                for (const index of removed) {
                    const [filter, value] = added[index] ?? ["nowhere", 0];
                    trie.remove(filter, value);
                    present.get(filter)?.delete(value);
                }
                const expected = new Set([...present].flatMap(([filter, values]) => (filterCovers(filter, topic) ? [...values] : [])));
                assert.deepEqual(trie.match(topic).sort(), [...expected].sort());
            }),
            { numRuns: 500 },
        );
    });

    it("is empty again once everything is removed", () => {
        fc.assert(
            fc.property(fc.array(filterArbitrary), (filters) => {
                const trie = new TopicTrie<string>();
                for (const filter of filters) trie.add(filter, filter);
                for (const filter of filters) trie.remove(filter, filter);
                assert.equal(trie.isEmpty, true);
            }),
        );
    });

    it("matches the parent level of a multi-level wildcard", () => {
        const trie = new TopicTrie<string>();
        trie.add("iotdm-1/type/+/id/+/#", "all");
        assert.deepEqual(trie.match("iotdm-1/type/t/id/d"), ["all"]);
        assert.deepEqual(trie.match("iotdm-1/type/t/id/d/response"), ["all"]);
        assert.deepEqual(trie.match("iotdm-1/type/t/id"), []);
    });

    it("does not match the server's own topics with wildcards", () => {
        const trie = new TopicTrie<string>();
        trie.add("#", "rest");
        trie.add("+/load", "any");
        trie.add("$SYS/#", "own");
        assert.deepEqual(trie.match("$SYS/load"), ["own"]);
    });
});
