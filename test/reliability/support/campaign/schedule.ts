import { SmallDisk } from "../../../support/drivers/small-disk";
import type { SeededRandom } from "../../../support/seeded-random";
import { type Fault, faults } from "./faults";

/** The kinds that a short campaign never leaves out: each ends another process or takes away the disk. */
const essential = new Set(["Node-RED killed", "broker killed, without persistence", "front end restarted", "disk full"]);

/** What this machine can cause, by a part of the name. */
export function chosenFaults(name: string): Fault[] {
    return faults.filter(({ kind, needsDisk }) => kind.includes(name) && (!needsDisk || SmallDisk.isPossible()));
}

/** The faults of a campaign: each kind once in random order, and again; a short campaign has the essential ones in any case. */
export function schedule(chosen: readonly Fault[], rounds: number, random: SeededRandom): Fault[] {
    const planned: Fault[] = [];
    while (planned.length < rounds && chosen.length > 0) {
        const shuffled = random.shuffled(chosen);
        const left = rounds - planned.length;
        const first = [...shuffled.filter(({ kind }) => essential.has(kind)), ...shuffled.filter(({ kind }) => !essential.has(kind))];
        planned.push(...random.shuffled(first.slice(0, left)));
    }
    return planned;
}
