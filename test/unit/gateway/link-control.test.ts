import assert from "node:assert/strict";
import fc from "fast-check";
import type { ConnectionState } from "../../../src/connection/gateway-connection";
import { GatewayError } from "../../../src/errors";
import { type LinkAction, LinkControl, linkActions } from "../../../src/gateway/link-control";

const reason = { code: "GW_AUTH", text: "not authorised" } as const;
const online: ConnectionState = { phase: "online", sessionPresent: false };
const waiting: ConnectionState = { phase: "waiting", reason, retryInMs: 1000 };

/** A link whose end may take a while, and what is asked of it. */
class Bench {
    state: ConnectionState = { phase: "closed" };
    /** The connection is being closed. */
    isEnding = false;
    /** The link ends at once, as one does that is not connected. */
    endsAtOnce = true;
    readonly calls: string[] = [];
    /** The outcome of each request, by its number. */
    readonly outcomes: (string | undefined)[] = [];
    readonly control: LinkControl;

    constructor(isWanted = true) {
        this.control = new LinkControl({
            isWanted,
            connection: this,
            open: () => {
                assert.equal(this.state.phase, "closed", "one connection at a time");
                this.calls.push("open");
                this.become({ phase: "connecting" });
            },
            end: () => {
                this.calls.push("end");
                this.isEnding = true;
                if (this.endsAtOnce) this.ended();
            },
            paused: () => this.calls.push("paused"),
            resumed: () => this.calls.push("resumed"),
            changed: () => {},
        });
    }

    become(state: ConnectionState): void {
        this.state = state;
        this.control.connectionChanged(state);
    }

    ended(): void {
        this.isEnding = false;
        this.become({ phase: "closed" });
    }

    /** Returns whether something changes. */
    ask(action: LinkAction): boolean {
        const number = this.outcomes.push(undefined) - 1;
        const end = (outcome: string) => {
            assert.equal(this.outcomes[number], undefined, "one outcome");
            this.outcomes[number] = outcome;
        };
        return this.control.request(action, { done: () => end("done"), failed: ({ code }) => end(code) });
    }
}

function connected(): Bench {
    const bench = new Bench();
    bench.control.opened();
    bench.become(online);
    bench.endsAtOnce = false;
    bench.calls.length = 0;
    return bench;
}

describe("control of the link", () => {
    it("a gateway connects as soon as it can, unless it is set not to", () => {
        const [bench, standby] = [new Bench(), new Bench(false)];
        bench.control.opened();
        standby.control.opened();
        assert.deepEqual([bench.calls, standby.calls], [["open"], []]);
        assert.deepEqual(standby.control.condition, { isWanted: false, isPaused: false });
    });

    it("connect is done when the server accepts the connection, and at once if it has", () => {
        const bench = new Bench(false);
        bench.control.opened();
        assert.equal(bench.ask("connect"), true);
        assert.deepEqual([bench.calls, bench.outcomes], [["open"], [undefined]]);
        bench.become(online);
        assert.equal(bench.ask("connect"), false);
        assert.deepEqual(bench.outcomes, ["done", "done"]);
    });

    it("connect waits until the outbox file has been read", () => {
        const bench = new Bench(false);
        bench.ask("connect");
        assert.deepEqual(bench.calls, []);
        bench.control.opened();
        assert.deepEqual(bench.calls, ["open"]);
    });

    it("connect fails with the reason of the attempt, and the gateway goes on trying", () => {
        const bench = new Bench(false);
        bench.control.opened();
        bench.ask("connect");
        bench.become(waiting);
        assert.deepEqual([bench.outcomes, bench.control.condition.isWanted], [["GW_AUTH"], true]);
        bench.ask("connect");
        assert.deepEqual([bench.outcomes, bench.calls], [["GW_AUTH", undefined], ["open"]], "the pause before the next attempt is kept");
        bench.become({ phase: "connecting", reason });
        bench.become(online);
        assert.deepEqual(bench.outcomes, ["GW_AUTH", "done"]);
    });

    it("disconnect is done when the connection has ended, and ends a waiting connect", () => {
        const bench = new Bench(false);
        bench.control.opened();
        bench.ask("connect");
        bench.endsAtOnce = false;
        assert.equal(bench.ask("disconnect"), true);
        assert.deepEqual(
            [bench.outcomes, bench.calls],
            [
                ["GW_NOT_CONNECTED", undefined],
                ["open", "end"],
            ],
        );
        assert.equal(bench.ask("disconnect"), false);
        bench.ended();
        assert.deepEqual(bench.outcomes, ["GW_NOT_CONNECTED", "done", "done"]);
        assert.equal(bench.ask("disconnect"), false);
        assert.deepEqual([bench.outcomes[3], bench.calls], ["done", ["open", "end"]]);
    });

    it("disconnect ends the attempts of a gateway that has no connection", () => {
        const bench = connected();
        bench.endsAtOnce = true;
        bench.become(waiting);
        bench.ask("disconnect");
        assert.deepEqual([bench.outcomes, bench.state.phase, bench.calls], [["done"], "closed", ["end"]]);
    });

    it("connect while the connection is being closed opens the next one", () => {
        const bench = connected();
        bench.ask("disconnect");
        bench.ask("connect");
        assert.deepEqual([bench.outcomes, bench.calls], [[undefined, undefined], ["end"]]);
        bench.ended();
        assert.deepEqual(
            [bench.outcomes, bench.calls],
            [
                ["done", undefined],
                ["end", "open"],
            ],
        );
        bench.become(online);
        assert.deepEqual(bench.outcomes, ["done", "done"]);
    });

    it("a connection that is lost while it is being closed is not opened again", () => {
        const bench = connected();
        bench.ask("disconnect");
        bench.endsAtOnce = true;
        bench.become(waiting);
        assert.deepEqual([bench.outcomes, bench.state.phase, bench.calls], [["done"], "closed", ["end", "end"]]);
    });

    it("pause and resume are done at once, and outlast lost and closed connections", () => {
        const bench = connected();
        assert.equal(bench.ask("pause"), true);
        assert.equal(bench.ask("pause"), false);
        bench.become(waiting);
        bench.endsAtOnce = true;
        bench.ask("disconnect");
        bench.ask("connect");
        assert.deepEqual(bench.control.condition, { isWanted: true, isPaused: true });
        assert.equal(bench.ask("resume"), true);
        assert.deepEqual(
            bench.calls.filter((call) => call.endsWith("ed")),
            ["paused", "resumed"],
        );
    });

    it("requests end with a gateway that closes, or that cannot be opened", () => {
        const bench = new Bench(false);
        bench.ask("connect");
        bench.control.close(new GatewayError("GW_CONFIG", "no port"));
        assert.deepEqual(bench.outcomes, ["GW_CONFIG"]);
        bench.ask("connect");
        bench.ask("disconnect");
        bench.control.opened();
        bench.become({ phase: "closed" });
        assert.deepEqual([bench.outcomes, bench.calls], [["GW_CONFIG", "GW_CONFIG", "done"], []]);
    });

    it("a gateway that has been closed is neither paused nor resumed, which would start its timers again", () => {
        const bench = new Bench();
        bench.control.opened();
        bench.ask("pause");
        bench.control.close(new GatewayError("GW_NOT_CONNECTED", "closed"));
        const before = bench.calls.length;
        assert.equal(bench.ask("resume"), false);
        assert.equal(bench.ask("pause"), false);
        assert.deepEqual([bench.calls.slice(before), bench.outcomes], [[], ["done", "done", "done"]]);
    });

    it("only a limited number of requests can wait", () => {
        const bench = new Bench(false);
        for (let count = 0; count < 1001; count++) bench.ask("connect");
        assert.deepEqual([bench.outcomes[999], bench.outcomes[1000]], [undefined, "GW_NOT_CONNECTED"]);
    });

    it("whatever is asked for in any order, the link ends as asked last and every request has one outcome", () => {
        type Step = LinkAction | "accepted" | "failed" | "ended" | "retried";
        const steps = fc.array(fc.constantFrom<Step>(...linkActions, "accepted", "failed", "ended", "retried"), { maxLength: 40 });
        fc.assert(
            fc.property(fc.boolean(), fc.boolean(), steps, (isWanted, endsAtOnce, given) => {
                const bench = new Bench(isWanted);
                bench.endsAtOnce = endsAtOnce;
                bench.control.opened();
                for (const step of given) {
                    const { phase } = bench.state;
                    if (step === "accepted") phase === "connecting" && !bench.isEnding && bench.become(online);
                    else if (step === "ended") bench.isEnding && bench.ended();
                    else if (step === "retried") phase === "waiting" && bench.become({ phase: "connecting", reason });
                    else if (step !== "failed") bench.ask(step);
                    else if ((phase === "connecting" || phase === "online") && !bench.isEnding) bench.become(waiting);
                }
                for (let round = 0; round < 3; round++) {
                    if (bench.isEnding) bench.ended();
                    if (bench.state.phase === "waiting") bench.become({ phase: "connecting", reason });
                    if (bench.state.phase === "connecting") bench.become(online);
                }
                const last = given.filter((step) => step === "connect" || step === "disconnect").at(-1);
                const isOpen = last === undefined ? isWanted : last === "connect";
                assert.equal(bench.state.phase, isOpen ? "online" : "closed");
                assert.ok(!bench.outcomes.includes(undefined));
            }),
        );
    });
});
