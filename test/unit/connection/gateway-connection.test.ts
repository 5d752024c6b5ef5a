import assert from "node:assert/strict";
import { GatewayConnection } from "../../../src/connection/gateway-connection";
import type { EndJudge, EndVerdict } from "../../../src/connection/sent-packet";
import { rejectsCode } from "../../support/assertions";
import { ConnectionRecorder } from "../../support/doubles/connection-recorder";
import { FakeClock } from "../../support/doubles/fake-clock";
import { fakeTransports } from "../../support/doubles/fake-transport";
import { testPacket } from "../../support/packets";

function setUp(keepAliveS = 60, cleanSession = true, judge?: EndJudge) {
    const clock = new FakeClock();
    const transports = fakeTransports();
    const recorder = new ConnectionRecorder();
    const connection = new GatewayConnection({
        host: "broker.test",
        port: 8883,
        transport: "tls",
        clientId: "g:org:gw:g1",
        userName: "use-token-auth",
        password: "wrong",
        keepAliveS,
        cleanSession,
        clock,
        random: () => 0.5,
        transportFactory: transports.factory,
        ...(judge && { judge }),
    });
    const start = () => connection.start(recorder);
    const goOnline = () => transports.latest().owner.connected(false);
    return { clock, transports, recorder, connection, start, goOnline };
}

const closed = { kind: "closed", stage: "open" } as const;
const ignore = () => {};

describe("gateway connection", () => {
    it("never stops trying, with growing pauses of at most a minute", () => {
        const { clock, transports, recorder, connection, start } = setUp();
        start();
        const pausesMs: number[] = [];
        for (let i = 0; i < 10; i++) {
            transports
                .latest()
                .owner.ended({ kind: "failed", stage: "dialling", error: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) });
            const state = connection.state;
            assert.equal(state.phase, "waiting");
            if (state.phase !== "waiting") return;
            assert.match(state.reason.text, /broker\.test:8883 refused the connection/);
            pausesMs.push(state.retryInMs);
            const attempts = transports.made.length;
            clock.advance(state.retryInMs - 1);
            assert.equal(transports.made.length, attempts);
            clock.advance(1);
            assert.equal(transports.made.length, attempts + 1);
        }
        assert.deepEqual(pausesMs, [1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000, 45_000, 45_000, 45_000]);
        assert.equal(recorder.phases.at(-1), "connecting");
    });

    it("starts over with short pauses after 30 s of a good link, and not before", () => {
        const { clock, transports, connection, goOnline, start } = setUp();
        start();
        /** Ends the connection, and returns how long it waits for the next attempt, which has then begun. */
        const pauseAfterEndMs = () => {
            transports.latest().owner.ended(closed);
            const { state } = connection;
            const pauseMs = state.phase === "waiting" ? state.retryInMs : 0;
            clock.advance(pauseMs);
            return pauseMs;
        };
        const pauseAfterLinkMs = (onlineMs: number) => {
            goOnline();
            clock.advance(onlineMs);
            return pauseAfterEndMs();
        };
        assert.deepEqual([pauseAfterEndMs(), pauseAfterEndMs(), pauseAfterEndMs()], [1_500, 3_000, 6_000]);
        assert.equal(pauseAfterLinkMs(29_999), 12_000);
        assert.equal(pauseAfterLinkMs(30_000), 1_500);
    });

    it("starts over with the pauses after a connection that has carried everything that was suspected", () => {
        let isLinkProven = false;
        const judge: EndJudge = { isNextCareful: false, ended: () => ({ reason: "searching", isLinkProven }) };
        const { clock, transports, connection, goOnline, start } = setUp(60, true, judge);
        start();
        const pauses = [false, false, true, false].map((isProven) => {
            isLinkProven = isProven;
            goOnline();
            transports.latest().owner.ended(closed);
            const { state } = connection;
            const pauseMs = state.phase === "waiting" ? state.retryInMs : 0;
            clock.advance(pauseMs);
            return pauseMs;
        });
        assert.deepEqual(pauses, [1_500, 3_000, 1_500, 3_000]);
    });

    it("waits at least a minute after each refusal of the credentials, whatever the code, and never gives up", () => {
        for (const returnCode of [2, 4, 5]) {
            const { clock, transports, connection, start } = setUp();
            start();
            for (let attempt = 1; attempt <= 10; attempt++) {
                assert.equal(transports.made.length, attempt);
                transports.latest().owner.ended({ kind: "refused", returnCode });
                const state = connection.state;
                assert.ok(state.phase === "waiting" && state.retryInMs >= 60_000 && state.reason.code === "GW_AUTH");
                assert.doesNotMatch(state.reason.text, /wrong"/);
                clock.advance(state.retryInMs);
            }
        }
    });

    it("suspects another client if the connection keeps ending right after it was accepted", () => {
        const { clock, transports, recorder, connection, goOnline, start } = setUp();
        start();
        for (let i = 0; i < 3; i++) {
            goOnline();
            clock.advance(500);
            transports.latest().owner.ended(closed);
            if (i < 2) {
                assert.equal(recorder.lastReason?.code, "GW_NETWORK");
                clock.advance(10_000);
            }
        }
        const state = connection.state;
        assert.ok(state.phase === "waiting" && state.reason.code === "GW_TAKEN_OVER" && state.retryInMs >= 30_000);
        assert.match(state.reason.text, /g:org:gw:g1/);
    });

    it("suspects another client too while each connection ends before a search for a culprit has an outcome", () => {
        const judge: EndJudge = { isNextCareful: false, ended: () => ({ reason: "searching", isLinkProven: false }) };
        const { clock, transports, recorder, goOnline, start } = setUp(60, true, judge);
        start();
        const codes = [1, 2, 3].map(() => {
            goOnline();
            clock.advance(500);
            transports.latest().owner.ended(closed);
            const code = recorder.lastReason?.code;
            clock.advance(10_000);
            return code;
        });
        assert.deepEqual(codes, ["GW_NETWORK", "GW_NETWORK", "GW_TAKEN_OVER"]);
    });

    for (const isCertain of [true, false]) {
        it(`${isCertain ? "blames no" : "suspects"} other client where the culprits were ${isCertain ? "not " : ""}acknowledged before each end`, () => {
            const packet = { kind: "event", name: "bad", device: "t/d", qos: 1, bytes: 1 } as const;
            const verdicts: EndVerdict[] = [];
            const judge: EndJudge = { isNextCareful: false, ended: () => verdicts.shift() ?? { reason: "unknown", isLinkProven: false } };
            const { clock, transports, recorder, goOnline, start } = setUp(60, true, judge);
            start();
            const codes = [false, true, false, true, false].map((isFound) => {
                verdicts.push(
                    isFound ? { reason: "culprit", packet, strikes: 1, isCertain } : { reason: "searching", isLinkProven: false },
                );
                goOnline();
                clock.advance(500);
                transports.latest().owner.ended(closed);
                const code = recorder.lastReason?.code;
                clock.advance(10_000);
                return code;
            });
            assert.deepEqual(codes.slice(0, 4), ["GW_NETWORK", "GW_NETWORK", "GW_NETWORK", "GW_NETWORK"]);
            assert.equal(codes[4], isCertain ? "GW_NETWORK" : "GW_TAKEN_OVER");
        });
    }

    it("does not blame another client for a server that breaks the rules", () => {
        const { clock, transports, recorder, connection, goOnline, start } = setUp();
        start();
        for (let i = 0; i < 5; i++) {
            goOnline();
            clock.advance(500);
            transports.latest().owner.ended({ kind: "violated", detail: "Nonsense came." });
            assert.match(recorder.lastReason?.text ?? "", /sent invalid data; .*Nonsense came\.$/);
            const { state } = connection;
            clock.advance(state.phase === "waiting" ? state.retryInMs : 0);
        }
    });

    it("names its own reason for an end, also while the search for a culprit begins", async () => {
        const judge: EndJudge = { isNextCareful: false, ended: () => ({ reason: "searching", isLinkProven: false }) };
        const { clock, transports, recorder, connection, goOnline, start } = setUp(60, true, judge);
        start();
        goOnline();
        transports.latest().owner.ended(closed);
        assert.match(recorder.lastReason?.text ?? "", /tests one message at a time/);
        clock.advance(60_000);
        goOnline();
        const unanswered = connection.subscribe("a", 1, 30_000);
        clock.advance(30_000);
        transports.latest().subscribed[0]?.answered(undefined);
        await rejectsCode("GW_NOT_CONNECTED", unanswered);
        transports.latest().owner.ended(closed);
        assert.match(recorder.lastReason?.text ?? "", /has not answered the subscription to a within 30 s/);
    });

    it("gives up an attempt that gets no answer within 30 s", () => {
        const { clock, transports, recorder, start } = setUp();
        start();
        clock.advance(30_000);
        assert.equal(transports.latest().end, "destroyed");
        assert.match(recorder.lastReason?.text ?? "", /did not answer the MQTT CONNECT within 30 s/);
    });

    it("reports settings that Node.js cannot connect with as a reason", () => {
        const clock = new FakeClock();
        const recorder = new ConnectionRecorder();
        const transportFactory = () => {
            throw Object.assign(new Error("no start line"), { code: "ERR_OSSL_PEM_NO_START_LINE" });
        };
        const connection = new GatewayConnection({
            host: "h",
            port: 1,
            transport: "tls",
            clientId: "c",
            keepAliveS: 60,
            cleanSession: true,
            clock,
            transportFactory,
        });
        connection.start(recorder);
        assert.equal(recorder.lastReason?.code, "GW_TLS");
        assert.match(recorder.lastReason?.text ?? "", /cannot be read/);
    });

    it("settles each publish exactly once: as acknowledged, or as failed when the connection ends", () => {
        const { transports, connection, goOnline, start } = setUp();
        const outcomes: string[] = [];
        const note = (name: string) => (error?: Error) => outcomes.push(`${name} ${error ? "failed" : "done"}`);
        connection.publish(testPacket("t", 1), "early", note("early"));
        start();
        goOnline();
        connection.publish(testPacket("t", 1), "one", note("one"));
        connection.publish(testPacket("t", 1), "two", note("two"), true);
        connection.publish(testPacket("t", 1), "three", note("three"));
        const [one] = transports.latest().published;
        one?.settled();
        one?.settled();
        transports.latest().owner.ended(closed);
        assert.deepEqual(outcomes, ["early failed", "one done", "three failed", "two failed"]);
    });

    it("has at most 20 publishes of QoS 2 in flight, and sends what follows them in order", () => {
        const { transports, connection, goOnline, start } = setUp();
        start();
        goOnline();
        const failed: string[] = [];
        const publish = (topic: string, qos: 0 | 1 | 2) =>
            connection.publish(testPacket(topic, qos), "x", (error) => error && failed.push(topic));
        for (let n = 0; n < 22; n++) publish(`two ${n}`, 2);
        publish("one", 1);
        publish("zero", 0);
        const published = () => transports.latest().published.map(({ topic }) => topic);
        assert.deepEqual(published().slice(19), ["two 19", "zero"]);
        assert.equal(connection.isWritable, false);
        transports.latest().published[0]?.settled();
        assert.equal(published().at(-1), "two 20");
        transports.latest().published[1]?.settled();
        assert.deepEqual(published().slice(-2), ["two 21", "one"]);
        assert.equal(connection.isWritable, true);
        publish("last", 2);
        transports.latest().owner.ended(closed);
        assert.equal(failed.length, 23);
        assert.equal(failed.at(-1), "last");
    });

    it("fails a publish made while the connection ends", () => {
        const { transports, connection, goOnline, start } = setUp();
        start();
        goOnline();
        const codes: unknown[] = [];
        connection.publish(testPacket("t", 1), "one", () => {
            connection.publish(testPacket("t", 1), "again", (error) => codes.push(error instanceof Error && "code" in error && error.code));
        });
        transports.latest().owner.ended(closed);
        assert.deepEqual(codes, ["GW_NOT_CONNECTED"]);
    });

    it("distinguishes a refused subscription from an unanswered one", async () => {
        const { transports, connection, goOnline, start } = setUp();
        await rejectsCode("GW_NOT_CONNECTED", connection.subscribe("a", 1));
        start();
        goOnline();
        const answers = [connection.subscribe("a", 1), connection.subscribe("b", 1), connection.subscribe("c", 1)];
        const [granted, refused, unanswered] = transports.latest().subscribed;
        granted?.answered(0);
        refused?.answered(128);
        unanswered?.answered(undefined);
        assert.equal(await answers[0], 0);
        assert.match((await rejectsCode("GW_SUBSCRIBE_REFUSED", Promise.resolve(answers[1]))).message, /rejected the subscription to b/);
        await rejectsCode("GW_NOT_CONNECTED", Promise.resolve(answers[2]));
    });

    it("reconnects if a subscription with a deadline is not answered, and only then", async () => {
        const { clock, transports, recorder, connection, goOnline, start } = setUp();
        start();
        goOnline();
        const answered = connection.subscribe("a", 1, 30_000);
        transports.latest().subscribed[0]?.answered(1);
        assert.equal(await answered, 1);
        clock.advance(30_000);
        assert.equal(transports.latest().end, "none");
        const unanswered = connection.subscribe("b", 1, 30_000);
        clock.advance(29_999);
        assert.equal(transports.latest().end, "none");
        clock.advance(1);
        assert.equal(transports.latest().end, "destroyed");
        assert.match(recorder.lastReason?.text ?? "", /has not answered the subscription to b within 30 s/);
        transports.latest().subscribed[1]?.answered(undefined);
        await rejectsCode("GW_NOT_CONNECTED", unanswered);
    });

    it("waits longer for the answer to a subscription while reading is held, in which that answer may be", async () => {
        const { clock, transports, connection, goOnline, start } = setUp();
        start();
        goOnline();
        const answer = connection.subscribe("a", 1, 30_000);
        transports.latest().isReadingHeld = true;
        clock.advance(300_000);
        assert.equal(transports.latest().end, "none");
        transports.latest().isReadingHeld = false;
        transports.latest().subscribed[0]?.answered(1);
        assert.equal(await answer, 1);
    });

    it("holds the reading of every connection until it is released", () => {
        const { transports, connection, clock, start } = setUp();
        start();
        assert.equal(transports.latest().mayHandOver, true);
        connection.holdReading(true);
        assert.equal(transports.latest().mayHandOver, false);
        transports.latest().owner.ended(closed);
        clock.advance(2_000);
        assert.deepEqual([transports.made.length, transports.latest().mayHandOver], [2, false]);
        connection.holdReading(false);
        assert.equal(transports.latest().mayHandOver, true);
    });

    it("reconnects on request, at once and with a DISCONNECT", () => {
        const { transports, recorder, connection, goOnline, start } = setUp();
        start();
        goOnline();
        connection.reconnect({ code: "GW_NETWORK", text: "on request" });
        assert.equal(transports.made[0]?.end, "disconnected");
        assert.equal(transports.made.length, 2);
        assert.deepEqual(recorder.phases, ["connecting", "online", "connecting", "connecting"]);
    });

    it("stops with a DISCONNECT and leaves no timer", async () => {
        const { clock, transports, recorder, connection, goOnline, start } = setUp();
        start();
        goOnline();
        await connection.stop(5_000);
        assert.equal(transports.latest().end, "disconnected");
        assert.equal(recorder.phases.at(-1), "closed");
        assert.equal(clock.timerCount, 0);
    });

    it("stops at the deadline even if the socket never reports its end", async () => {
        const { clock, transports, connection, goOnline, start } = setUp();
        start();
        goOnline();
        transports.latest().reportsEnd = false;
        const stopped = connection.stop(5_000);
        clock.advance(5_000);
        await stopped;
        assert.equal(transports.latest().end, "destroyed");
        assert.equal(connection.state.phase, "closed");
        assert.equal(clock.timerCount, 0);
    });

    it("can be stopped while it waits for the next attempt", async () => {
        const { clock, transports, connection, start } = setUp();
        start();
        transports.latest().owner.ended(closed);
        await connection.stop(5_000);
        clock.advance(100_000);
        assert.equal(transports.made.length, 1);
        assert.equal(clock.timerCount, 0);
    });

    it("can be stopped and started from within its own state changes", async () => {
        const clock = new FakeClock();
        const transports = fakeTransports();
        const recorder = new ConnectionRecorder();
        const stops: Promise<void>[] = [];
        const connection = new GatewayConnection({
            host: "h",
            port: 1,
            transport: "tcp",
            clientId: "c",
            keepAliveS: 60,
            cleanSession: true,
            clock,
            transportFactory: transports.factory,
        });
        const stateChanged = (state: { phase: string }) => {
            if (state.phase === "connecting") stops.push(connection.stop(1_000));
        };
        connection.start(Object.assign(recorder, { stateChanged }));
        await Promise.all(stops);
        assert.equal(connection.state.phase, "closed");
        assert.equal(transports.made.length, 0);
        assert.equal(clock.timerCount, 0);
        connection.publish(testPacket("t", 1), "x", ignore);
    });
});
