import assert from "node:assert/strict";
import { SearchWorld, type ServerReaction } from "../../support/doubles/search-world";

/** A world in which ten devices have five events each, before the connection is made. */
function backlog(world: SearchWorld): void {
    for (let round = 0; round < 5; round++) for (let device = 0; device < 10; device++) world.publish(`d${device}`);
}

/** Ten devices send for so long, twice a second. */
function run(world: SearchWorld, durationMs: number): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 500) {
        for (let device = 0; device < 10; device++) world.publish(`d${device}`);
        world.clock.advance(500);
    }
}

/** The server reacts to one topic like that, and accepts everything else. */
function punish(world: SearchWorld, name: string, reaction: ServerReaction): void {
    world.react = (packet) => (packet.name === name ? reaction : "accept");
}

const punishments: [string, ServerReaction][] = [
    ["closes without an answer", "close"],
    ["acknowledges and closes at once", { acceptThenCloseMs: 0 }],
    ["acknowledges and closes a while later", { acceptThenCloseMs: 300 }],
];

describe("search for a suspect", () => {
    it("changes nothing after a single end", () => {
        const world = new SearchWorld();
        backlog(world);
        world.connect();
        world.clock.advance(15);
        world.cut();
        world.clock.advance(2_000);
        assert.equal(world.waiting, 0);
        assert.deepEqual(
            world.connections.map(({ isCareful }) => isCareful),
            [false, false],
        );
    });

    for (const [name, reaction] of punishments) {
        for (const roundTripMs of [1, 100, 400]) {
            it(`gets the culprit out of the way of a server that ${name} (${roundTripMs} ms), within five connections and a minute`, () => {
                const world = new SearchWorld();
                world.roundTripMs = roundTripMs;
                punish(world, "d3/e", reaction);
                world.connect();
                const early = () => world.connections.length + (world.isOnline ? 0 : 1);
                let connections = 0;
                for (let second = 0; second < 60; second++) {
                    run(world, 1_000);
                    if (world.strikes.length === 0) connections = early();
                }
                assert.deepEqual(new Set(world.strikes), new Set(["d3/e"]));
                // The next one after the strike is the one on which everything else flows.
                assert.ok(connections + 1 <= 5, `${connections} connections until the strike`);
                world.clock.advance(5_000);
                assert.deepEqual([...world.waitingDevices], ["d3"]);
                assert.deepEqual(world.condemned, []);
            });
        }

        it(`finds it among 200 devices on a server that ${name}, within five connections and a minute`, () => {
            const world = new SearchWorld({ window: 1_000 });
            world.roundTripMs = 100;
            punish(world, "d3/e", reaction);
            const publishAll = () => {
                for (let device = 0; device < 200; device++) world.publish(`d${device}`);
            };
            publishAll();
            world.connect();
            let connections = 0;
            while (world.strikes.length === 0 || [...world.waitingDevices].length > 1) {
                publishAll();
                world.clock.advance(1_000);
                if (world.strikes.length === 0) connections = world.connections.length;
                assert.ok(world.clock.monotonicMs() <= 60_000, "more than a minute");
            }
            assert.deepEqual(new Set(world.strikes), new Set(["d3/e"]));
            assert.ok(connections + 1 <= 5, `${connections} connections until the strike`);
        });

        it(`gives it up after five strikes on a server that ${name}, and holds the device after the second`, () => {
            const world = new SearchWorld();
            world.roundTripMs = 20;
            punish(world, "d3/e", reaction);
            world.connect();
            const untilCondemned = (count: number) => {
                const startMs = world.clock.monotonicMs();
                while (world.condemned.length < count && world.clock.monotonicMs() < startMs + 1_800_000) run(world, 1_000);
                return Math.round((world.clock.monotonicMs() - startMs) / 1000);
            };
            const seconds = [untilCondemned(1), untilCondemned(2)];
            assert.ok(
                seconds.every((taken) => taken >= 220 && taken <= 280),
                `${seconds.join(" and ")} s`,
            );
            const strikes = world.strikes.length;
            assert.ok(strikes >= 10 && strikes <= 11, `${strikes} strikes`);
            assert.equal(world.search.isHeld("d3"), true);
            run(world, 590_000);
            assert.equal(world.strikes.length, strikes);
            untilCondemned(3);
            assert.equal(world.strikes.length, strikes + 3);
            assert.deepEqual(new Set([...world.strikes, ...world.condemned]), new Set(["d3/e"]));
        });
    }

    it("lets a device go that the server takes after all", () => {
        const world = new SearchWorld();
        backlog(world);
        punish(world, "d3/e", "close");
        world.connect();
        world.clock.advance(30_000);
        assert.ok(world.strikes.length > 0);
        world.react = () => "accept";
        world.clock.advance(40_000);
        assert.equal(world.waiting, 0);
        assert.deepEqual(world.search.suspects(), []);
    });

    it("forgets all strikes when the connection ends for another reason", () => {
        const world = new SearchWorld();
        backlog(world);
        punish(world, "d3/e", "close");
        world.connect();
        world.clock.advance(150_000);
        assert.equal(world.search.suspects()[0]?.strikes, 4);
        world.cut();
        assert.equal(world.search.suspects()[0]?.strikes, 0);
        world.clock.advance(200_000);
        assert.deepEqual(world.condemned, []);
        world.clock.advance(100_000);
        assert.deepEqual(world.condemned, ["d3/e"]);
    });

    it("finds several culprits one after the other, and gives each up", () => {
        const world = new SearchWorld();
        backlog(world);
        const bad = new Set(["d1/e", "d4/e", "d7/e"]);
        world.react = ({ name }) => (bad.has(name) ? "close" : "accept");
        world.connect();
        world.clock.advance(60_000);
        assert.deepEqual(new Set(world.strikes), bad);
        assert.equal(world.delivered.length, 35);
        world.clock.advance(7_200_000);
        assert.deepEqual([world.waiting, world.condemned.length], [0, 15]);
    });

    it("delays nobody for long because of an event that is never acknowledged", () => {
        const world = new SearchWorld();
        backlog(world);
        punish(world, "d3/e", "never");
        world.connect();
        world.clock.advance(1_000);
        assert.equal(world.delivered.length, 45);
        for (let round = 0; round < 4; round++) {
            world.clock.advance(300_000);
            world.publish("d1");
            world.clock.advance(15_000);
            world.cut();
        }
        assert.deepEqual([world.delivered.length, world.waiting, world.condemned], [49, 5, []]);
        world.react = () => "accept";
        world.clock.advance(120_000);
        assert.equal(world.waiting, 0);
    });

    for (const devices of [5, 30, 200]) {
        for (const roundTripMs of [1, 100]) {
            it(`costs ${devices} devices less than a minute when the server restarts several times (${roundTripMs} ms)`, () => {
                const world = new SearchWorld({ window: 1_000 });
                world.roundTripMs = roundTripMs;
                const publishAll = () => {
                    for (let device = 0; device < devices; device++) world.publish(`d${device}`);
                };
                world.connect();
                world.clock.advance(1_000);
                const outagesS: number[] = [];
                for (let restart = 0; restart < 6; restart++) {
                    publishAll();
                    world.clock.advance(roundTripMs + 1);
                    const startMs = world.clock.monotonicMs();
                    world.cut();
                    publishAll();
                    while (world.waiting > 0) world.clock.advance(100);
                    outagesS.push(Math.round((world.clock.monotonicMs() - startMs) / 1_000));
                }
                assert.ok(world.verdicts.includes("searching"));
                assert.deepEqual(world.strikes, []);
                assert.ok(
                    outagesS.every((seconds) => seconds < 60),
                    `${outagesS.join(", ")} s`,
                );
            });
        }
    }

    it("comes back soon after a connection on which every suspect was innocent", () => {
        const world = new SearchWorld();
        world.connect();
        const pausesS: number[] = [];
        for (let round = 0; round < 8; round++) {
            for (let device = 0; device < 5; device++) world.publish(`d${device}`);
            world.clock.advance(21);
            world.cut();
            for (let device = 0; device < 5; device++) world.publish(`d${device}`);
            const startMs = world.clock.monotonicMs();
            while (!world.isOnline) world.clock.advance(100);
            pausesS.push(Math.round((world.clock.monotonicMs() - startMs) / 1_000));
            while (world.waiting > 0) world.clock.advance(100);
            world.clock.advance(2_000);
        }
        assert.ok(world.connections.some(({ isCareful }) => isCareful));
        assert.ok(
            pausesS.every((seconds) => seconds <= 8),
            `${pausesS.join(", ")} s`,
        );
    });

    it("asks for one filter at a time, and leaves the one out at which the server closes", () => {
        const world = new SearchWorld();
        for (let n = 0; n < 20; n++) world.subscribe(`f${n}`);
        backlog(world);
        punish(world, "f7", "close");
        world.connect();
        world.clock.advance(60_000);
        assert.deepEqual(new Set(world.strikes), new Set(["f7"]));
        assert.equal(world.waiting, 0);
        assert.ok(world.connections.length <= 6);
        world.clock.advance(300_000);
        assert.deepEqual([world.condemned, world.strikes.length], [["f7"], 5]);
        world.clock.advance(400_000);
        assert.equal(world.strikes.length, 5);
        world.search.flowsStarted();
        world.react = () => "accept";
        world.clock.advance(2_000);
        assert.deepEqual(world.search.suspects(), []);
    });

    it("delays only the devices with large events on a line that dies of large packets", () => {
        const world = new SearchWorld();
        backlog(world);
        world.publish("large", "e", 20_000);
        for (let n = 0; n < 20; n++) world.publish("small");
        world.react = () => "accept";
        world.dies = ({ bytes }) => bytes > 1_400;
        world.connect();
        world.clock.advance(180_000);
        assert.deepEqual(new Set(world.strikes), new Set(["large/e"]));
        assert.equal(world.waiting, 1);
    });
});
