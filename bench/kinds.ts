import { measureBehindBacklog } from "./kinds/behind-backlog";
import { measureMigration } from "./kinds/migration";
import { measureSlowLink } from "./kinds/slow-link";
import { type Extent, type Section, table } from "./support/report";

/** What a backlog costs the events that are worth more than it, and how long a file of the earlier version takes to be opened. */
export async function measureKinds(extent: Extent): Promise<Section> {
    const rows: string[][] = [];
    for (const measure of [measureBehindBacklog, measureSlowLink, measureMigration]) {
        for (const { what, measured, target } of await measure(extent)) {
            rows.push([what, measured, target]);
            console.error([what, measured, target].join(" | "));
        }
    }
    return { name: "kinds", text: table(["", "measured", "to reach"], rows) };
}
