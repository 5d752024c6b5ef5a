import { runSeed } from "./support/history";
import { seedsOfRun } from "./support/seeds";

const seeds = seedsOfRun();

describe("years of operation", function () {
    this.timeout(600_000 + seeds.length * 30_000);

    it(`lose nothing in ${seeds.length} histories of two hours`, async () => {
        for (const seed of seeds) await runSeed(seed);
    });
});
