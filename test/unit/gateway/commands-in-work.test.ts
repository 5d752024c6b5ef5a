import assert from "node:assert/strict";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors";
import type { CommandOutcome, CommandTaker, ReceivedCommand } from "../../../src/gateway/inbound/command";
import { type CommandAnswer, CommandsInWork } from "../../../src/gateway/inbound/commands-in-work";
import { FakeClock } from "../../support/doubles/fake-clock";

const minuteMs = 60_000;

function command(id: string, more: Partial<ReceivedCommand> = {}): ReceivedCommand {
    return {
        id,
        topic: "iot-2/type/t/id/d/cmd/c/fmt/json",
        levels: [],
        typeId: "t",
        deviceId: "d",
        commandId: "c",
        format: "json",
        payload: Buffer.from("{}"),
        qos: 1,
        duplicate: false,
        retain: false,
        isReplayed: false,
        receivedAt: 0,
        ...more,
    };
}

/** A node whose flow is the test. */
class TestNode implements CommandTaker {
    readonly received: (command: ReceivedCommand) => "passed" | "stale" | "bad";
    readonly handed: ReceivedCommand[] = [];
    readonly overdue: string[] = [];
    readonly timeoutMs: number | undefined;
    readonly selection = { target: "device", parts: {} } as const;

    constructor(
        readonly nodeId: string,
        acknowledge: "received" | number = minuteMs,
        takes: (command: ReceivedCommand) => "passed" | "stale" | "bad" = () => "passed",
    ) {
        this.timeoutMs = acknowledge === "received" ? undefined : acknowledge;
        this.received = (received) => {
            this.handed.push(received);
            return takes(received);
        };
    }

    get ids(): string[] {
        return this.handed.map(({ id }) => id);
    }

    timedOut({ id }: ReceivedCommand): void {
        this.overdue.push(id);
    }
}

class Setup {
    readonly clock = new FakeClock();
    readonly accepted: string[] = [];
    readonly ended: [id: string, outcome: CommandOutcome, tookMs: number | undefined][] = [];
    readonly abandoned: string[] = [];
    freed = 0;
    nodes: TestNode[];
    readonly commands: CommandsInWork;

    constructor(...nodes: TestNode[]) {
        this.nodes = nodes;
        this.commands = new CommandsInWork({
            clock: this.clock,
            takersOf: () => this.nodes,
            listener: {
                started: () => undefined,
                ended: ({ id }, outcome, tookMs) => this.ended.push([id, outcome, tookMs]),
                abandoned: ({ id }) => this.abandoned.push(id),
                placeFree: () => {
                    this.freed += 1;
                },
            },
        });
    }

    handOver(id: string): boolean {
        return this.commands.handOver(command(id), this.clock.monotonicMs(), () => this.accepted.push(id));
    }

    /** A message came back: the code with which it fails, or the answer that was taken. */
    answer(id: string, nodeId = "n1", at = nodeId): CommandAnswer | string {
        try {
            return this.commands.answer(at, { id, nodeId });
        } catch (thrown) {
            assert.ok(thrown instanceof GatewayError);
            return thrown.code;
        }
    }

    finish(id: string, nodeId = "n1"): void {
        const answer = this.answer(id, nodeId);
        assert.ok(typeof answer !== "string", `${answer}`);
        answer.finished();
    }

    /** A deploy that stops nodes and starts others. */
    deploy(stopped: readonly TestNode[], started: readonly TestNode[]): void {
        this.commands.pause();
        for (const node of stopped) this.commands.stopped(node);
        this.nodes = [...this.nodes.filter((node) => !stopped.includes(node)), ...started];
        this.commands.resume();
    }
}

describe("commands in work", () => {
    it("acknowledges a command at once for nodes that need not send it back", () => {
        const setup = new Setup(new TestNode("n1", "received"), new TestNode("n2", "received"));
        setup.handOver("c1");
        assert.deepEqual([setup.accepted, setup.ended], [["c1"], [["c1", "received", undefined]]]);
        assert.equal(setup.commands.size, 0);
    });

    it("acknowledges a command that no node takes", () => {
        const setup = new Setup();
        setup.handOver("c1");
        assert.deepEqual([setup.accepted, setup.ended, setup.abandoned], [["c1"], [["c1", "unclaimed", undefined]], []]);
    });

    it("acknowledges a command when the flow has sent it back, and says how long that took", () => {
        const setup = new Setup(new TestNode("n1"));
        setup.handOver("c1");
        setup.clock.advance(1500);
        assert.deepEqual([setup.accepted, setup.commands.size, setup.commands.sizeOf("n1")], [[], 1, 1]);
        setup.finish("c1");
        assert.deepEqual([setup.accepted, setup.ended, setup.freed], [["c1"], [["c1", "answered", 1500]], 1]);
        assert.equal(setup.clock.timerCount, 0);
    });

    it("acknowledges a command only once its answer is safe", () => {
        const setup = new Setup(new TestNode("n1"));
        setup.handOver("c1");
        const answer = setup.answer("c1");
        assert.ok(typeof answer !== "string");
        setup.clock.advance(2 * minuteMs);
        assert.deepEqual(setup.accepted, []);
        answer.finished();
        assert.deepEqual([setup.accepted, setup.ended.map(([, outcome]) => outcome)], [["c1"], ["answered"]]);
    });

    it("acknowledges a command when the last of several nodes is done", () => {
        const setup = new Setup(new TestNode("n1"), new TestNode("n2", "received"), new TestNode("n3"));
        setup.handOver("c1");
        setup.finish("c1", "n3");
        assert.deepEqual(setup.accepted, []);
        setup.finish("c1", "n1");
        assert.deepEqual(setup.accepted, ["c1"]);
    });

    it("counts an answer while the command is still being handed to other nodes", () => {
        const setup = new Setup();
        const quick = new TestNode("n1", minuteMs, ({ id }) => {
            setup.finish(id);
            return "passed";
        });
        setup.nodes = [quick, new TestNode("n2")];
        setup.handOver("c1");
        assert.deepEqual(setup.accepted, []);
        setup.finish("c1", "n2");
        assert.deepEqual([setup.accepted, setup.ended.length], [["c1"], 1]);
    });

    for (const taken of ["stale", "bad"] as const) {
        it(`acknowledges a command at once that its node found ${taken}`, () => {
            const setup = new Setup(new TestNode("n1", minuteMs, () => taken));
            setup.handOver("c1");
            assert.deepEqual([setup.accepted, setup.ended[0]?.[1], setup.clock.timerCount], [["c1"], taken, 0]);
            assert.equal(setup.answer("c1"), "GW_BAD_COMMAND");
        });
    }

    it("acknowledges and reports a command whose time is over", () => {
        const node = new TestNode("n1", 5000);
        const setup = new Setup(node);
        setup.handOver("c1");
        setup.clock.advance(4999);
        assert.deepEqual(setup.accepted, []);
        setup.clock.advance(1);
        assert.deepEqual([setup.accepted, node.overdue, setup.ended], [["c1"], ["c1"], [["c1", "timeout", 5000]]]);
    });

    it("does not let a node whose time is over end the command of another", () => {
        const [slow, quick] = [new TestNode("n1", 60_000), new TestNode("n2", 1000)];
        const setup = new Setup(slow, quick);
        setup.handOver("c1");
        setup.clock.advance(1000);
        assert.deepEqual([quick.overdue, slow.overdue, setup.accepted], [["c1"], [], []]);
        setup.finish("c1");
        assert.deepEqual([setup.accepted, setup.ended[0]?.[1]], [["c1"], "timeout"]);
    });

    it("refuses a late answer with GW_COMMAND_TIMEOUT, and every other that it does not wait for with GW_BAD_COMMAND", () => {
        const setup = new Setup(new TestNode("n1"), new TestNode("n2"));
        setup.handOver("c1");
        setup.handOver("c2");
        assert.equal(setup.answer("none"), "GW_BAD_COMMAND");
        assert.equal(setup.answer("c1", "n2", "n1"), "GW_BAD_COMMAND");
        setup.finish("c1");
        assert.equal(setup.answer("c1"), "GW_BAD_COMMAND");
        assert.notEqual(typeof setup.answer("c2"), "string");
        assert.equal(setup.answer("c2"), "GW_BAD_COMMAND");
        setup.clock.advance(minuteMs);
        assert.equal(setup.answer("c1", "n2"), "GW_COMMAND_TIMEOUT");
    });

    it("remembers a bounded number of commands whose time was over", () => {
        const setup = new Setup(new TestNode("n1", 1));
        for (let i = 0; i < 1001; i++) {
            setup.handOver(`c${i}`);
            setup.clock.advance(1);
        }
        assert.deepEqual([setup.answer("c0"), setup.answer("c1")], ["GW_BAD_COMMAND", "GW_COMMAND_TIMEOUT"]);
    });

    it("lets the flow send a command back again whose answer could not be taken on, until its time is over", () => {
        const node = new TestNode("n1");
        const setup = new Setup(node);
        setup.handOver("c1");
        for (let i = 0; i < 3; i++) {
            const answer = setup.answer("c1");
            assert.ok(typeof answer !== "string");
            answer.failed();
        }
        assert.deepEqual(setup.accepted, []);
        const last = setup.answer("c1");
        assert.ok(typeof last !== "string");
        setup.clock.advance(minuteMs);
        assert.deepEqual(node.overdue, []);
        last.failed();
        assert.deepEqual([node.overdue, setup.accepted, setup.answer("c1")], [["c1"], ["c1"], "GW_COMMAND_TIMEOUT"]);
    });

    it("lets a hundred commands into the flow, and then as many as end", () => {
        const setup = new Setup(new TestNode("n1"));
        for (let i = 0; i < 100; i++) assert.equal(setup.handOver(`c${i}`), true);
        assert.equal(setup.handOver("next"), false);
        setup.finish("c50");
        assert.equal(setup.handOver("next"), true);
    });

    describe("over a deploy", () => {
        it("hands a command of a stopped node to the new one, as a duplicate, with all its time", () => {
            const [before, after] = [new TestNode("n1"), new TestNode("n1")];
            const setup = new Setup(before);
            setup.handOver("c1");
            setup.clock.advance(50_000);
            setup.deploy([before], [after]);
            assert.deepEqual(
                after.handed.map(({ id, duplicate }) => [id, duplicate]),
                [["c1", true]],
            );
            setup.clock.advance(50_000);
            assert.deepEqual([after.overdue, before.overdue, setup.accepted], [[], [], []]);
            setup.finish("c1");
            assert.deepEqual(setup.accepted, ["c1"]);
        });

        it("keeps the commands of several nodes in order, and hands over only those of stopped nodes", () => {
            const [stays, stops, comes] = [new TestNode("n1"), new TestNode("n2"), new TestNode("n2")];
            const setup = new Setup(stays, stops);
            for (const id of ["c1", "c2", "c3"]) setup.handOver(id);
            setup.finish("c2", "n2");
            setup.deploy([stops], [comes]);
            assert.deepEqual(
                [stays.ids, comes.ids],
                [
                    ["c1", "c2", "c3"],
                    ["c1", "c3"],
                ],
            );
        });

        it("hands a command to a new node that has come in place of the one that is gone", () => {
            const [gone, other, fresh] = [new TestNode("n1"), new TestNode("n2"), new TestNode("n3")];
            const setup = new Setup(gone, other);
            setup.handOver("c1");
            setup.finish("c1", "n2");
            setup.deploy([gone], [fresh]);
            assert.deepEqual([other.ids, fresh.ids], [["c1"], ["c1"]]);
            assert.deepEqual(setup.abandoned, []);
        });

        it("does not hand an old command to a node that a deploy adds", () => {
            const [before, after, added] = [new TestNode("n1"), new TestNode("n1"), new TestNode("n2")];
            const setup = new Setup(before);
            setup.handOver("c1");
            setup.deploy([before], [after, added]);
            assert.deepEqual([after.ids, added.ids], [["c1"], []]);
        });

        it("acknowledges a command that no node takes any more, and reports it", () => {
            const node = new TestNode("n1");
            const setup = new Setup(node);
            setup.handOver("c1");
            setup.deploy([node], []);
            assert.deepEqual([setup.accepted, setup.abandoned, setup.ended[0]?.[1]], [["c1"], ["c1"], "unclaimed"]);
        });

        it("ends a command whose new node acknowledges it on receipt", () => {
            const node = new TestNode("n1");
            const setup = new Setup(node);
            setup.handOver("c1");
            setup.deploy([node], [new TestNode("n1", "received")]);
            assert.deepEqual([setup.accepted, setup.abandoned], [["c1"], []]);
        });

        it("reports a command whose time is over when the flows run again", () => {
            const node = new TestNode("n1");
            const setup = new Setup(node);
            setup.handOver("c1");
            setup.commands.pause();
            setup.clock.advance(minuteMs);
            assert.deepEqual(node.overdue, []);
            setup.commands.resume();
            assert.deepEqual([node.overdue, setup.accepted], [["c1"], ["c1"]]);
        });

        it("counts an answer that is on its way while the node stops, and hands over again what could not be answered", () => {
            const [before, after] = [new TestNode("n1"), new TestNode("n1")];
            const setup = new Setup(before);
            setup.handOver("c1");
            setup.handOver("c2");
            const answers = ["c1", "c2"].map((id) => setup.answer(id));
            setup.deploy([before], [after]);
            assert.deepEqual(after.ids, []);
            for (const answer of answers) assert.ok(typeof answer !== "string");
            if (typeof answers[0] === "object") answers[0].finished();
            if (typeof answers[1] === "object") answers[1].failed();
            assert.deepEqual([setup.accepted, after.ids], [["c1"], ["c2"]]);
        });
    });
});

/** What can happen, as data, so that a failing script can be read. */
type Step =
    | ["receive"]
    | ["answer", choice: number, isSafe: boolean | undefined]
    | ["settle", choice: number, isSafe: boolean]
    | ["advance", ms: number]
    | ["deploy", stopped: readonly number[], removed: readonly number[], durationMs: number];

const nodeIds = ["n1", "n2", "n3"];
const indexes = fc.subarray([0, 1, 2]);

const steps: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.constant<Step>(["receive"]) },
    { weight: 6, arbitrary: fc.tuple(fc.constant<"answer">("answer"), fc.nat(20), fc.constantFrom(true, true, false, undefined)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant<"settle">("settle"), fc.nat(9), fc.boolean()) },
    { weight: 3, arbitrary: fc.tuple(fc.constant<"advance">("advance"), fc.constantFrom(1, 900, 5_000)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant<"deploy">("deploy"), indexes, indexes, fc.constantFrom(0, 2_000)) },
);

/** Nodes with a flow that answers when the script says so. Whatever happens, each command ends once, and nothing is forgotten. */
class World {
    readonly #setup: Setup;
    #received = 0;
    /** What a node has and has not answered, by command and node. */
    readonly #held = new Map<string, { id: string; nodeId: string }>();
    readonly #onTheirWay: { answer: CommandAnswer; key: string }[] = [];
    readonly #rejected: string[] = [];

    constructor() {
        this.#setup = new Setup(...nodeIds.map((_, index) => this.#node(index)));
    }

    perform(step: Step): void {
        const setup = this.#setup;
        switch (step[0]) {
            case "receive": {
                const isFull = setup.commands.size >= 100;
                assert.equal(setup.handOver(`c${++this.#received}`), !isFull);
                break;
            }
            case "answer": {
                const all = [...this.#held.entries()];
                const [key, held] = all[step[1] % Math.max(all.length, 1)] ?? [];
                if (key === undefined || !held) break;
                const answer = setup.answer(held.id, held.nodeId);
                const isOnItsWay = this.#onTheirWay.some((each) => each.key === key);
                assert.equal(typeof answer === "string", isOnItsWay, "the first answer of a node counts");
                if (typeof answer !== "string") {
                    this.#onTheirWay.push({ answer, key });
                    if (step[2] !== undefined) this.#settle(this.#onTheirWay.length - 1, step[2]);
                }
                break;
            }
            case "settle":
                this.#settle(step[1] % Math.max(this.#onTheirWay.length, 1), step[2]);
                break;
            case "advance":
                setup.clock.advance(step[1]);
                break;
            case "deploy":
                this.#deploy(step[1], step[2], step[3]);
        }
        this.check();
    }

    /** Every command ends when its flows answer, or their time is over. */
    finish(): void {
        while (this.#onTheirWay.length > 0) this.#settle(0, true);
        this.#setup.clock.advance(10_000);
        this.check();
        assert.equal(this.#setup.commands.size, 0);
        assert.equal(this.#setup.accepted.length, this.#received);
        assert.equal(this.#setup.clock.timerCount, 0);
        assert.equal(this.#held.size, 0);
    }

    check(): void {
        const { accepted, ended } = this.#setup;
        assert.equal(new Set(accepted).size, accepted.length, "none is acknowledged twice");
        assert.equal(ended.length, accepted.length);
        for (const { id } of this.#held.values()) assert.ok(!accepted.includes(id), "none is acknowledged while a node has it");
        assert.deepEqual(this.#rejected, []);
    }

    /** The third node acknowledges on receipt. */
    #node(index: number): TestNode {
        const nodeId = nodeIds[index] ?? "";
        const node = new TestNode(nodeId, index === 2 ? "received" : 1000 * (index + 1), ({ id, duplicate }) => {
            const key = `${id}/${nodeId}`;
            if (index === 2) return "passed";
            if (this.#held.has(key)) this.#rejected.push(`${key} was handed over twice at the same time`);
            if (duplicate !== this.#wasHandedOver.has(id)) this.#rejected.push(`${key} came with duplicate ${duplicate}`);
            this.#handedOver.push(id);
            this.#held.set(key, { id, nodeId });
            return "passed";
        });
        node.timedOut = ({ id }) => {
            if (!this.#held.delete(`${id}/${nodeId}`)) this.#rejected.push(`${id} timed out, and was not in work`);
        };
        return node;
    }

    /** Handed over before the present step. */
    readonly #wasHandedOver = new Set<string>();
    readonly #handedOver: string[] = [];

    #settle(index: number, isSafe: boolean): void {
        const [settled] = this.#onTheirWay.splice(index, 1);
        if (!settled) return;
        for (const id of this.#handedOver.splice(0)) this.#wasHandedOver.add(id);
        if (isSafe || this.#stopped.has(settled.key)) this.#held.delete(settled.key);
        this.#stopped.delete(settled.key);
        if (isSafe) settled.answer.finished();
        else settled.answer.failed();
    }

    /** On their way when their node stopped. */
    readonly #stopped = new Set<string>();

    #deploy(stopped: readonly number[], removed: readonly number[], durationMs: number): void {
        const setup = this.#setup;
        for (const id of this.#handedOver.splice(0)) this.#wasHandedOver.add(id);
        setup.commands.pause();
        const leaving = setup.nodes.filter(({ nodeId }) => stopped.includes(nodeIds.indexOf(nodeId)));
        for (const node of leaving) {
            setup.commands.stopped(node);
            for (const [key, { nodeId }] of [...this.#held]) {
                if (nodeId !== node.nodeId) continue;
                if (this.#onTheirWay.some((each) => each.key === key)) this.#stopped.add(key);
                else this.#held.delete(key);
            }
        }
        setup.clock.advance(durationMs);
        const staying = setup.nodes.filter((node) => !leaving.includes(node));
        const coming = [0, 1, 2].filter((index) => !removed.includes(index) && !staying.some(({ nodeId }) => nodeId === nodeIds[index]));
        setup.nodes = [...staying, ...coming.map((index) => this.#node(index))];
        setup.commands.resume();
    }
}

describe("commands in work, at random", () => {
    it("each command ends once, is never handed to a node twice at the same time, and is never forgotten", () => {
        fc.assert(
            fc.property(fc.array(steps, { maxLength: 60 }), (script) => {
                const world = new World();
                for (const step of script) world.perform(step);
                world.finish();
            }),
            { numRuns: 2000 },
        );
    });
});
