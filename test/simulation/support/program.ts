// Runs histories until one fails: node program.js --seeds=100 --seed=1. With --trace it shows each step and each packet.
import { parseArgs } from "node:util";
import { runPlan, runSeed } from "./history";
import { planOf } from "./plan";

async function main(): Promise<void> {
    const { values } = parseArgs({
        options: {
            seeds: { type: "string", default: "1" },
            seed: { type: "string", default: "1" },
            trace: { type: "boolean", default: false },
            "first-failure": { type: "boolean", default: false },
        },
    });
    const first = Number(values.seed);
    const print = (line: string): void => void process.stdout.write(`${line}\n`);
    let current = first;
    process.on("uncaughtException", (error) => {
        print(`seed ${current}: ${error.message}`);
        process.exit(1);
    });
    for (let seed = first; seed < first + Number(values.seeds); seed++) {
        current = seed;
        if (values.trace || values["first-failure"]) {
            const failure = await runPlan(seed, planOf(seed), values.trace ? print : undefined);
            if (failure === undefined) continue;
            print(`seed ${seed}: ${failure}`);
            process.exitCode = 1;
            return;
        }
        await runSeed(seed);
        print(`seed ${seed} holds`);
    }
}

main().catch((error: unknown) => {
    process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
});
