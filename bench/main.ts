// npm run bench: measures the parts named on the command line, or all of them.
import { measureCommands } from "./commands";
import { measureEvents } from "./events";
import { measureFirstContacts } from "./first-contacts";
import { measureKinds } from "./kinds";
import { measureMemory } from "./memory";
import { measureNewDevices } from "./new-devices";
import { measureOutbox } from "./outbox";
import { measureRecovery } from "./recovery";
import { measureScaling } from "./scaling";
import { measureSoak } from "./soak";
import { measureStart } from "./start";
import { environment } from "./support/environment";
import { type Extent, publishSection, type Section } from "./support/report";
import { measureUndelivered } from "./undelivered";

const parts: Readonly<Record<string, (extent: Extent) => Promise<Section>>> = {
    events: measureEvents,
    commands: measureCommands,
    outbox: measureOutbox,
    kinds: measureKinds,
    undelivered: measureUndelivered,
    start: measureStart,
    memory: measureMemory,
    scaling: measureScaling,
    soak: measureSoak,
    "new-devices": measureNewDevices,
    recovery: measureRecovery,
    "first-contacts": measureFirstContacts,
};

async function main(): Promise<void> {
    const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
    const unknown = wanted.filter((name) => !(name in parts));
    if (unknown.length > 0) throw new Error(`No such part: ${unknown.join(", ")}. There are: ${Object.keys(parts).join(", ")}.`);
    const quick = process.argv.includes("--quick");
    const extent: Extent = {
        quick,
        rounds: quick ? 3 : 5,
        messages: (full) => (quick ? Math.min(full, 10_000) : full),
        option: (name) => process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3),
    };
    console.log(environment());
    for (const [name, measure] of Object.entries(parts)) {
        if (wanted.length === 0 || wanted.includes(name)) publishSection(await measure(extent), extent);
    }
}

main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
});
