import assert from "node:assert/strict";
import { OrderCheck } from "../reliability/support/order";

describe("the check of the order", () => {
    it("finds a payload that arrived after a later one of the same device, even if that was in an earlier round", () => {
        const order = new OrderCheck();
        assert.deepEqual(order.violations(["d1:1", "d2:1", "d1:3", "d2:2"]), []);
        assert.deepEqual(order.violations(["d1:2", "d2:3"]), ["d1:2 came after d1:3"]);
    });

    it("finds disorder within a priority of a device, and none between priorities", () => {
        const order = new OrderCheck();
        assert.deepEqual(order.violations(["d1.high:5", "d1.low:1", "d1.normal:3", "d1.low:2", "d1.high:6"]), []);
        assert.deepEqual(order.violations(["d1.high:4", "d1.normal:4"]), ["d1.high:4 came after d1.high:6"]);
    });

    it("counts a repeated payload without calling it disorder, even if it first arrived in an earlier round", () => {
        const order = new OrderCheck();
        order.violations(["d1:1", "d1:2", "d1:1"]);
        assert.deepEqual(order.violations(["d1:2", "d1:3"]), []);
        assert.equal(order.repeated, 2);
    });
});
