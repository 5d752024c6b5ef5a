import assert from "node:assert/strict";
import { planMs, planOf } from "./support/plan";
import { shortest } from "./support/shortest";

describe("the shortest history that fails", () => {
    const plan = planOf(1);

    it("has only the steps that the failure needs, in their order", async () => {
        const needed = [plan[3], plan[100], plan[plan.length - 1]];
        const found = await shortest(plan, (some) => Promise.resolve(needed.every((step) => step !== undefined && some.includes(step))));
        assert.deepEqual(found, needed);
    });

    it("is empty when the failure needs no step", async () => {
        assert.deepEqual(await shortest(plan, () => Promise.resolve(true)), []);
    });

    it("is the whole history when each step is needed, after no more than the allowed tries", async () => {
        let tries = 0;
        const fails = () => {
            tries += 1;
            return Promise.resolve(false);
        };
        assert.equal(await shortest(plan, fails, 50), plan);
        assert.equal(tries, 50);
    });

    it("begins with a plan that the seed alone decides", () => {
        assert.deepEqual(planOf(1), plan);
        assert.notDeepEqual(planOf(2), plan);
        assert.ok(plan.every(({ atMs }) => atMs >= 0 && atMs <= planMs));
        assert.equal(plan.filter(({ kind }) => kind === "event").length, 300);
    });
});
