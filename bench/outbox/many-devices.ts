import { ManagementBench } from "../../test/support/doubles/management-bench";
import { outboxFixture } from "../../test/support/doubles/outbox-fixture";
import { type Extent, shown } from "../support/report";
import { type Spread, spread } from "../support/statistics";
import type { Row } from "./row";

/** What one event, one answer and one responder cost while there are many devices: with twice as many the same. */
export async function measureManyDevices({ quick, rounds }: Extent): Promise<Row[]> {
    const queues = quick ? 10_000 : 50_000;
    const managed = quick ? 20_000 : 100_000;
    const rows: Row[] = [];
    for (const devices of [queues, 2 * queues]) {
        const what = `\`drop-oldest\` in memory, a queue for each of ${devices} devices: one event, µs`;
        rows.push({ what, measured: shown(dropUs(devices, rounds)), target: "" });
    }
    for (const devices of [managed, 2 * managed]) {
        const { answerMs, responderMs } = managedMs(devices, rounds);
        rows.push({ what: `${devices} managed devices: an answer of the platform, ms`, measured: shown(answerMs), target: "" });
        rows.push({ what: "– the longest block when a responder starts, ms", measured: shown(responderMs), target: "" });
    }
    return rows;
}

/** Microseconds for each event that makes the oldest one give way. */
function dropUs(devices: number, rounds: number): Spread {
    const drops = 5000;
    const { outbox, admit, clock } = outboxFixture({
        isInMemory: true,
        limits: { maxBytes: devices * 600, whenFull: "drop-oldest", maxKeptBytes: 0 },
    });
    outbox.flowsStarted();
    for (let index = 0; index < devices; index++) admit(`meter/${index}`, "x".repeat(100));
    for (let index = 0; outbox.counters.dropped === 0; index++) admit(`meter/${index % devices}`, "x".repeat(100));
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
        const beganMs = performance.now();
        for (let index = 0; index < drops; index++) admit(`meter/${(index * 7919) % devices}`, "y".repeat(100));
        times.push(((performance.now() - beganMs) * 1000) / drops);
        clock.advance(1000);
    }
    return spread(times);
}

function managedMs(devices: number, rounds: number): { answerMs: Spread; responderMs: Spread } {
    const bench = new ManagementBench({ pace: { perSecond: 1, maxUnderWay: 1 } }).connect();
    const target = { target: { kind: "device" }, manage: true } as const;
    const first = bench.responder(target);
    for (let index = 0; index < devices; index++) bench.engine.deviceSeen(`s/${index}`);
    bench.clock.advance(300);
    const answers: number[] = [];
    const responders: number[] = [];
    for (let round = 0; round < rounds; round++) {
        bench.clock.advance(1000);
        const request = bench.takeOne();
        const beganMs = performance.now();
        bench.reply(request, 200);
        bench.clock.advance(250);
        answers.push(performance.now() - beganMs);
    }
    first.attached.detach();
    for (let round = 0; round < rounds; round++) {
        bench.responder(target).attached.detach();
        bench.responder({ ...target, metadata: { round: String(round) } }).attached.detach();
        responders.push(bench.clock.advance(1000));
    }
    return { answerMs: spread(answers), responderMs: spread(responders) };
}
