import assert from "node:assert/strict";
import { unaccountedEvents } from "../../support/event-account";
import { broken } from "./promises";
import type { World } from "./world";

/** Longer than a slow disk takes to say what it holds. */
const openingMs = 60_000;

/** What must hold at each moment, however the history goes on. */
export function checkNow(world: World): void {
    assert.deepEqual(world.violations, []);
    const { gateway } = world.process.watched;
    const { outbox, connection } = gateway.monitor.overview;
    const { events, bytes, inFlight } = outbox;
    // For a moment after a file was opened, what it holds is not known by priority.
    const lacking = events - (outbox.high + outbox.normal + outbox.low);
    const lackingForMs = world.countsLackForMs(lacking > 0);
    assert.ok(lacking >= 0 && lackingForMs < openingMs, broken("sums", "the events by priority do not add up"));
    assert.equal(gateway.state.queued, events, broken("sums", "state and overview differ"));
    assert.ok(inFlight <= events, broken("sums", `${inFlight} of ${events} events are in flight`));
    assert.equal(events === 0, bytes === 0, broken("sums", `${events} events have ${bytes} bytes`));
    assert.equal(unaccountedEvents(gateway.monitor.overview), 0, broken("account", "some events are in no count"));
    const { state } = gateway.health.read();
    const isOnline = state === "connected" || state === "paused";
    assert.equal(
        isOnline,
        connection.phase === "online",
        broken("health", `health is ${state} while the connection is ${connection.phase}`),
    );
}

/** What must hold when all faults are over and the gateway has had its time. */
export function checkAtRest(world: World): void {
    const { state, monitor } = world.process.watched.gateway;
    const { high, normal, low } = monitor.overview.outbox;
    assert.equal(high + normal + low, state.queued, broken("sums", "the events by priority do not add up"));
    assert.equal(state.connection.phase, "online", broken("drains", "the gateway is not online"));
    assert.equal(state.queued, 0, broken("drains", `${state.queued} events still wait`));
    assert.equal(state.commands.inWork + state.commands.waiting, 0, broken("commands", "commands still wait"));
    assert.deepEqual(
        world.filtersOfPlatform,
        world.wantedFilters,
        broken("filters", "the platform has other filters than the gateway wants"),
    );
}

/** What must hold of the whole history, when everything has ended. */
export function checkHistory(world: World): void {
    assert.deepEqual(world.violations, []);
    const { messages, taken, expectedCommands, finishedCommands, answers } = world;
    const arrived = new Set([...taken.values()].flat());
    const isKept = (number: number) => arrived.has(number) || messages[number]?.isHandedOver === true;
    for (const { number, device, outcomes, isOrphan, isLatest } of messages) {
        const what = `event ${number} of ${device}`;
        const hasEnded = outcomes.length === 1 || (isOrphan && outcomes.length === 0);
        assert.ok(hasEnded, broken("endsOnce", `${what}: ${outcomes.join() || "no outcome"}`));
        if (outcomes[0] !== "done" || isKept(number)) continue;
        assert.ok(isLatest, broken("reachesBroker", `${what} was done and is lost`));
        const newer = messages.slice(number + 1).filter((other) => other.isLatest && other.device === device);
        const isSuperseded = newer.some((other) => isKept(other.number) || (other.outcomes[0] ?? "done") !== "done");
        assert.ok(isSuperseded, broken("latest", `${what} was done and is lost, with every newer value`));
    }
    for (const command of expectedCommands) assert.ok(finishedCommands.has(command), broken("commands", `command ${command} is lost`));
    for (const [reqId, given] of answers) assert.equal(given.size, 1, broken("sameAnswer", `request ${reqId}: ${[...given].join()}`));
    for (const [device, numbers] of taken) checkOrder(world, device, [...new Set(numbers)]);
}

function checkOrder({ messages }: World, device: string, numbers: readonly number[]): void {
    for (const priority of ["high", "normal", "low"]) {
        const ofPriority = numbers.filter((number) => messages[number]?.priority === priority && !messages[number]?.isLatest);
        assert.deepEqual(ofPriority, sorted(ofPriority), broken("order", `${device}, ${priority}`));
    }
    const values = numbers.filter((number) => messages[number]?.isLatest);
    assert.deepEqual(values, sorted(values), broken("latest", `${device}: an older value came after a newer one`));
}

function sorted(numbers: readonly number[]): number[] {
    return [...numbers].sort((one, other) => one - other);
}
