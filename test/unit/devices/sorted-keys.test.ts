import assert from "node:assert/strict";
import fc from "fast-check";
import { SortedKeys } from "../../../src/devices/inventory/sorted-keys";
import { usedBytes } from "../../support/used-bytes";

describe("sorted keys", () => {
    it("equal a sorted set after any additions, removals and reads", () => {
        const step = fc.record({ key: fc.string({ maxLength: 3 }), looks: fc.boolean() });
        fc.assert(
            fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
                const keys = new SortedKeys();
                const expected = new Set<string>();
                for (const { key, looks } of steps) {
                    // A key that is there goes, another one comes.
                    if (expected.delete(key)) {
                        keys.remove(key);
                    } else {
                        expected.add(key);
                        keys.add(key);
                    }
                    if (looks) assert.deepEqual(keys.values, [...expected].sort());
                }
                assert.deepEqual(keys.values, [...expected].sort());
            }),
        );
    });

    it("do not accumulate while keys come and go without a read", () => {
        const keys = new SortedKeys();
        const comeAndGo = (from: number, to: number) => {
            for (let key = from; key < to; key++) {
                keys.add(`key ${key}`);
                keys.remove(`key ${key}`);
            }
        };
        comeAndGo(0, 10_000);
        const before = usedBytes();
        comeAndGo(10_000, 500_000);
        assert.ok(usedBytes() - before < 5_000_000);
        assert.equal(keys.values.length, 0);
    });
});
