import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { SmallDisk } from "../support/drivers/small-disk";
import { SeededRandom } from "../support/seeded-random";
import { Campaign, type RoundResult } from "./support/campaign/campaign";
import { campaignTable, memoryLine } from "./support/campaign/campaign-report";
import { chosenFaults, schedule } from "./support/campaign/schedule";
import { Stage } from "./support/campaign/stage";

/** By hand: `npm run test:reliability` with these; the same seed makes the same schedule, not the same timing. */
const rounds = Number(process.env.RELIABILITY_ROUNDS ?? 5);
const seed = Number(process.env.RELIABILITY_SEED ?? randomInt(1_000_000));
/** Part of a kind's name: only such faults, to look into one. */
const only = process.env.RELIABILITY_FAULTS ?? "";
const isByHand = process.env.RELIABILITY_ROUNDS !== undefined;

describe("a gateway under load", () => {
    it(`loses nothing, keeps the order and reports what is wrong in ${rounds} rounds of faults`, async function () {
        this.timeout(60_000 + rounds * 200_000);
        const random = new SeededRandom(seed);
        const planned = schedule(chosenFaults(only), rounds, random);
        assert.ok(planned.length > 0, `there is no fault like ${only}`);
        console.log(`      RELIABILITY_SEED=${seed} RELIABILITY_ROUNDS=${rounds}`);
        if (!SmallDisk.isPossible()) console.log("      without the faults of the disk: nothing may be mounted here");
        const results: RoundResult[] = [];
        const stage = await Stage.start();
        try {
            const campaign = new Campaign(stage, random);
            for (const fault of planned) {
                const startMs = performance.now();
                results.push(await campaign.round(fault));
                if (isByHand) console.log(`      ${results.length} ${fault.kind}: ${Math.round(performance.now() - startMs)} ms`);
            }
        } catch (error) {
            const kinds = planned.slice(0, results.length + 1).map(({ kind }) => kind);
            console.log(`      round ${kinds.length} failed; the schedule was: ${kinds.join(" → ")}`);
            console.log(`      Node-RED said:\n${stage.nodeRed.log.slice(-5000)}`);
            throw error;
        } finally {
            if (isByHand && results.length > 0) console.log(`\n${campaignTable(results)}\n\n${memoryLine(results)}\n`);
            await stage.end();
        }
    });
});
