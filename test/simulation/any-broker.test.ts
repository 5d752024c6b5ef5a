import assert from "node:assert/strict";
import { acceptAndClose, close, neverAnswer, type Reaction, type Rule } from "../support/doubles/broker-script";
import { ScriptedBroker } from "../support/doubles/scripted-broker";
import { VirtualMachine } from "../support/doubles/virtual-machine";
import { commandSubscriber, RecordedGateway } from "../support/drivers/recorded-gateway";
import type { SeededRandom } from "../support/seeded-random";

const seeds = Number(process.env.SIMULATION_SEEDS ?? 30);
const firstSeed = Number(process.env.SIMULATION_SEED ?? 1);
const deviceCount = 100;
const hourMs = 3_600_000;

/** What a broker makes of an event, by its topic. */
type Opinion = "takes" | "late" | "never" | "closes" | "acknowledgesAndCloses";

/** A broker that dislikes a few events and filters, each in its own way. */
class Opinions {
    readonly rules: Rule[] = [];
    readonly #ofTopic = new Map<string, Opinion>();

    constructor(random: SeededRandom) {
        const culprits = random.integer(1, 4);
        for (let index = 0; index < culprits; index++) {
            const topic = topicOf(random.integer(0, deviceCount - 1));
            if (this.#ofTopic.has(topic)) continue;
            const [opinion, reaction] = dislike(random);
            this.#ofTopic.set(topic, opinion);
            this.rules.push({ cmd: "publish", topic, reaction });
        }
        if (random.next() < 0.3) this.rules.push({ cmd: "subscribe", filter: filterOf(0), reaction: refusal(random) });
    }

    of(device: number): Opinion {
        return this.#ofTopic.get(topicOf(device)) ?? "takes";
    }
}

function dislike(random: SeededRandom): [Opinion, Reaction] {
    switch (random.integer(0, 4)) {
        case 0:
            return ["acknowledgesAndCloses", acceptAndClose];
        case 1:
            return ["late", { answer: "good", afterMs: random.integer(100, 20_000) }];
        case 2:
            return ["never", neverAnswer];
        case 3:
            return ["acknowledgesAndCloses", { answer: "good", closeAfterMs: random.integer(1, 500) }];
        default:
            return ["closes", close];
    }
}

function refusal(random: SeededRandom): Reaction {
    return [close, neverAnswer, { answer: { code: 0x80 } } as const, { answer: { code: 0x87 } } as const][random.integer(0, 3)] ?? close;
}

const topicOf = (device: number) => `iot-2/type/t/id/d${device}/evt/e/fmt/json`;
const filterOf = (device: number) => `iot-2/type/t/id/d${device}/cmd/+/fmt/+`;

async function runSeed(seed: number): Promise<void> {
    const machine = new VirtualMachine(seed, { latencyMs: () => 20, opened: (line) => broker.attach(line.server) });
    const { random } = machine;
    const opinions = new Opinions(random);
    const broker = new ScriptedBroker({ clock: machine.clock, rules: opinions.rules });
    const watched = new RecordedGateway(1883, { machine: machine.machine, registration: "auto", outboxMaxAge: "48" });
    for (const device of [0, 1]) {
        const selection = { target: "device", parts: { typeId: "t", deviceId: `d${device}` } } as const;
        watched.gateway.onCommand(commandSubscriber(() => undefined, { selection, rejectionChanged: () => undefined }));
    }
    watched.gateway.start();
    watched.gateway.flowsStarted();
    const messages: { readonly device: number; readonly id: string }[] = [];
    for (let event = 0; event < 2 * deviceCount; event++) {
        const device = random.integer(0, deviceCount - 1);
        messages.push({ device, id: watched.publish(`d${device}`, event) });
        if (random.next() < 0.05) await machine.run(random.integer(0, 30_000));
    }
    const isOver = ({ device, id }: (typeof messages)[number]) => opinions.of(device) === "never" || watched.outcomes.has(id);
    await machine.run(24 * hourMs, () => messages.every(isOver));
    const taken = broker.taken.map(({ payload }) => Number(payload.toString()));
    const arrived = new Set(taken);
    const latest = new Map<number, number>();
    for (const event of arrived) {
        const device = messages[event]?.device ?? -1;
        assert.ok(event > (latest.get(device) ?? -1), `seed ${seed}: event ${event} of d${device} arrived after a later one`);
        latest.set(device, event);
    }
    for (const [event, { device, id }] of messages.entries()) {
        const outcome = watched.outcomes.get(id);
        const what = `seed ${seed}: event ${event} of d${device}, which the broker ${opinions.of(device)}`;
        switch (opinions.of(device)) {
            case "takes":
            case "late":
                assert.equal(outcome, "done", what);
                assert.ok(arrived.has(event), what);
                break;
            case "never":
                assert.equal(outcome, undefined, what);
                break;
            case "closes":
                assert.equal(outcome, "GW_UNDELIVERABLE", what);
                break;
            case "acknowledgesAndCloses":
                assert.ok(outcome === "done" || outcome === "GW_UNDELIVERABLE", `${what}: ${outcome}`);
        }
    }
    const closed = watched.gateway.close(3_000);
    await machine.run(10_000);
    await closed;
    assert.equal(machine.clock.timerCount, 0, `seed ${seed} leaves timers`);
}

describe("a broker of any behaviour", function () {
    this.timeout(600_000 + seeds * 30_000);

    it(`gets every event that it takes, and keeps no other device from its own, in ${seeds} histories`, async () => {
        for (let seed = firstSeed; seed < firstSeed + seeds; seed++) await runSeed(seed);
    });
});
