import assert from "node:assert/strict";
import fc from "fast-check";
import { SortedKeys } from "../../../src/devices/sorted-keys";

describe("sorted keys", () => {
    it("are what sorting a set gives, after any additions, removals and looks", () => {
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
});
