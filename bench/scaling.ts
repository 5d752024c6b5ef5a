import { rmSync } from "node:fs";
import { Mosquitto } from "../test/support/drivers/mosquitto";
import { waitFor } from "../test/support/wait-for";
import { Application } from "./support/application";
import { deviceName, fieldTopic, payloadOf } from "./support/devices";
import { machineMs } from "./support/feeder";
import { sharedFieldEvents } from "./support/flows";
import { type Extent, type Section, shown, table } from "./support/report";
import { subscribed } from "./support/station";
import { type Spread, spread } from "./support/statistics";
import { makeDirectory, Subject } from "./support/subject";
import { Tally } from "./support/tally";

const devices = 1000;
const payloadBytes = 100;
/** What the processes share when one of them goes or comes. */
const ratePerS = 1000;
const changeAfterMs = 3000;

/** Several Node-RED processes, each with an identity of its own, behind one shared subscription. */
class Site {
    readonly #processes = new Map<number, { readonly directory: string; subject: Subject }>();

    private constructor(
        readonly broker: Mosquitto,
        readonly field: Application,
        readonly platform: Application,
    ) {}

    static async start(processes: number): Promise<Site> {
        const broker = await Mosquitto.start({ quiet: true });
        const field = await Application.start(broker.port, "nothing/here");
        const platform = await Application.start(broker.port, "iot-2/type/+/id/+/evt/#");
        const site = new Site(broker, field, platform);
        for (let number = 1; number <= processes; number++) await site.add(number);
        return site;
    }

    /** Starts a process, where one with that number has been before. */
    async add(number: number): Promise<void> {
        const directory = this.#processes.get(number)?.directory ?? makeDirectory();
        const flow = sharedFieldEvents({ port: this.broker.port, deviceId: `gateway-${number}` });
        const connections = this.broker.log.length;
        const subject = await Subject.nodeRed(`process ${number}`, flow, directory);
        this.#processes.set(number, { directory, subject });
        await subscribed(this.broker, 1, connections);
    }

    async end(number: number, signal: NodeJS.Signals): Promise<void> {
        await this.#processes.get(number)?.subject.stop({ signal, keepsDirectory: true });
    }

    /** CPU microseconds of all processes until now. */
    async cpuUs(): Promise<number> {
        const each = await Promise.all([...this.#processes.values()].map(({ subject }) => subject.ask("cpu", undefined)));
        return each.reduce((sum, one) => sum + one, 0);
    }

    /** The devices publish in the field, in turn. */
    async publish(messages: number, atPerS?: number): Promise<void> {
        await this.field.publish({
            messages,
            topicOf: (index) => fieldTopic(deviceName(index % devices)),
            payloadOf: (index) => JSON.stringify(payloadOf(index, payloadBytes)),
            ...(atPerS === undefined ? {} : { ratePerS: atPerS }),
        });
    }

    async stop(): Promise<void> {
        for (const { directory, subject } of this.#processes.values()) {
            await subject.stop();
            rmSync(directory, { recursive: true, force: true });
        }
        this.field.stop();
        this.platform.stop();
        await this.broker.stop();
    }
}

/** One, two and four processes; and what becomes of the messages when one of them goes or comes. */
export async function measureScaling(extent: Extent): Promise<Section> {
    const rates: string[][] = [];
    for (const processes of [1, 2, 4]) {
        const { perSecond, cpuUs } = await measureRate(processes, extent);
        rates.push([String(processes), shown(perSecond, 0), shown(cpuUs)]);
        console.error(rates.at(-1)?.join(" | "));
    }
    const changes: string[][] = [];
    for (const [name, change] of Object.entries(changesOfSite)) {
        changes.push([name, ...(await measureChange(change, extent))]);
        console.error(changes.at(-1)?.join(" | "));
    }
    const text = [
        table(["processes", "events/s, all together", "CPU µs per event"], rates),
        `**While ${ratePerS} messages a second arrive in the field**`,
        table(["", "messages", "lost", "duplicated"], changes),
    ];
    return { name: "scaling", document: "scaling.md", text: text.join("\n\n") };
}

async function measureRate(processes: number, extent: Extent): Promise<{ perSecond: Spread; cpuUs: Spread }> {
    const site = await Site.start(processes);
    const messages = extent.messages(30_000);
    const rates: number[] = [];
    const costs: number[] = [];
    // The first round makes the devices known and the code warm.
    for (let round = 0; round <= extent.rounds; round++) {
        const tally = new Tally(site.platform, messages);
        const beginMs = machineMs();
        const before = await site.cpuUs();
        await site.publish(messages);
        await waitFor(() => tally.missing === 0, `${messages} events of ${processes} processes`, 60_000);
        if (round === 0) continue;
        rates.push((messages * 1000) / (machineMs() - beginMs));
        costs.push(((await site.cpuUs()) - before) / messages);
    }
    await site.stop();
    return { perSecond: spread(rates), cpuUs: spread(costs) };
}

type Change = (site: Site) => Promise<void>;

/** What happens to a site of two processes in the middle of a run. */
const changesOfSite: Readonly<Record<string, Change>> = {
    "a third process is added": (site) => site.add(3),
    "one process is stopped (SIGTERM) and started again": async (site) => {
        await site.end(1, "SIGTERM");
        await site.add(1);
    },
    "one process is killed (SIGKILL) and started again": async (site) => {
        await site.end(1, "SIGKILL");
        await site.add(1);
    },
};

async function measureChange(change: Change, { quick, rounds }: Extent): Promise<string[]> {
    const messages = quick ? 6000 : 20_000;
    let lost = 0;
    let repeated = 0;
    const all = quick ? 1 : rounds;
    for (let round = 0; round < all; round++) {
        const site = await Site.start(2);
        const tally = new Tally(site.platform, messages);
        const published = site.publish(messages, ratePerS);
        await new Promise((resolve) => setTimeout(resolve, changeAfterMs));
        await change(site);
        await published;
        // What has not come when everything else has been silent for so long is lost.
        await waitFor(() => tally.missing === 0, "all events", 15_000).catch(() => undefined);
        lost += tally.missing;
        repeated += tally.repeated;
        await site.stop();
    }
    return [all * messages, lost, repeated].map(String);
}
