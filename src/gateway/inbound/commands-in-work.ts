import type { Clock, Timer } from "../../clock";
import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import { type CommandOutcome, type CommandReference, type CommandTaker, commandOutcomes, type ReceivedCommand } from "./command";

const maxInFlow = 100;
const maxOverdue = 1_000;

/**
 * The commands that nodes have handed to their flows and that are to be sent back, each acknowledged once the last node is done with it.
 *
 * | a node's share of a command | left by |
 * |---|---|
 * | `working` | an answer → `answering`, or done; the end of its time → done; the end of the node → `kept` |
 * | `answering`: its answer is on its way to a safe place | safe → done; failed → `working`, or `kept`, or done where its time is over |
 * | `kept`: the node was stopped | the flows run → handed over again, or given up where no node takes it |
 */
export class CommandsInWork {
    readonly #deps: CommandsInWorkDeps;
    /** By id, in the order in which they were handed over. */
    readonly #inFlow = new Map<string, CommandInWork>();
    /** The commands whose time was over lately, by id and node. */
    readonly #overdue = new Set<string>();
    #isPaused = false;

    constructor(deps: CommandsInWorkDeps) {
        this.#deps = deps;
    }

    /** How many are in the flow. */
    get size(): number {
        return this.#inFlow.size;
    }

    /** How many of them are with this node. */
    sizeOf(nodeId: string): number {
        let size = 0;
        for (const { shares } of this.#inFlow.values()) if (shares.has(nodeId)) size += 1;
        return size;
    }

    /**
     * Hands a command to every node that takes it, unless as many as may be are in the flow. Returns whether it did.
     * @param accepted called once it may be acknowledged, possibly before this returns
     * @param receivedMs monotonic
     */
    handOver(command: ReceivedCommand, receivedMs: number, accepted: () => void): boolean {
        const takers = this.#deps.takersOf(command);
        if (!takers.some(isAnswering)) {
            let outcome: CommandOutcome = "unclaimed";
            for (const taker of takers) outcome = worse(outcome, outcomeOf(taker.received(command)));
            this.#deps.listener.ended(command, outcome);
            accepted();
            return true;
        }
        if (this.#inFlow.size >= maxInFlow) return false;
        const inWork = new CommandInWork(command, receivedMs, accepted);
        this.#inFlow.set(command.id, inWork);
        this.#deps.listener.started(command);
        this.#handToAll(takers, inWork);
        return true;
    }

    /**
     * The flow sent a command back to a node. The command stays in work until the answer is `finished`.
     * @throws GW_COMMAND_TIMEOUT when its time was over, GW_BAD_COMMAND when this node has no such command in work
     */
    answer(nodeId: string, reference: CommandReference): CommandAnswer {
        const inWork = this.#inFlow.get(reference.id);
        const share = inWork?.shares.get(reference.nodeId);
        if (reference.nodeId !== nodeId) throw badAnswer(translate("command.ofOtherNode", { nodeId: reference.nodeId }));
        if (!inWork || !share) {
            if (!this.#overdue.has(keyOf(reference))) throw badAnswer(translate("command.unknown"));
            throw new GatewayError("GW_COMMAND_TIMEOUT", translate("command.late"));
        }
        if (share.phase === "answering") throw badAnswer(translate("command.answered"));
        share.phase = "answering";
        return {
            command: inWork.command,
            finished: () => {
                if (share.phase === "answering") this.#end(inWork, share, "answered");
            },
            failed: () => {
                if (share.phase !== "answering") return;
                share.phase = share.isStopped ? "kept" : "working";
                if (this.#isPaused) return;
                if (share.isStopped) this.#handOverAgain(inWork);
                else if (share.isOverdue) this.#timeOver(inWork, share);
            },
        };
    }

    /** The flows stop: until `resume` no command times out, as its node and Catch nodes may not be there. */
    pause(): void {
        this.#isPaused = true;
    }

    /** The flows run: hands the commands of stopped nodes over again, to the new node, or to one that has come in its place. */
    resume(): void {
        this.#isPaused = false;
        for (const inWork of [...this.#inFlow.values()]) {
            for (const share of [...inWork.shares.values()]) if (share.isOverdue) this.#timeOver(inWork, share);
            this.#handOverAgain(inWork);
        }
    }

    /** A node stops: what it has is kept for the one that comes in its place. */
    stopped(taker: CommandTaker): void {
        for (const { shares } of this.#inFlow.values()) {
            const share = shares.get(taker.nodeId);
            if (share?.taker !== taker) continue;
            share.isStopped = true;
            share.timer?.cancel();
            if (share.phase === "working") share.phase = "kept";
        }
    }

    /** Hands nothing over any more. Answers that are on their way are still acknowledged. */
    close(): void {
        this.#isPaused = true;
        for (const { shares } of this.#inFlow.values()) for (const { timer } of shares.values()) timer?.cancel();
    }

    #handToAll(takers: readonly CommandTaker[], inWork: CommandInWork): void {
        inWork.isHandedOver = false;
        for (const taker of takers) this.#handTo(taker, inWork);
        inWork.isHandedOver = true;
        this.#endIfDone(inWork);
    }

    #handTo(taker: CommandTaker, inWork: CommandInWork): void {
        const { nodeId, timeoutMs } = taker;
        inWork.nodeIds.add(nodeId);
        if (timeoutMs === undefined) {
            inWork.ended(outcomeOf(taker.received(inWork.command)));
            return;
        }
        const share: Share = { taker, phase: "working", isStopped: false, isOverdue: false, timer: undefined };
        // A flow may answer before this returns.
        inWork.shares.set(nodeId, share);
        share.timer = this.#deps.clock.setTimer(timeoutMs, () => this.#timeOver(inWork, share));
        const taken = taker.received(inWork.command);
        if (taken !== "passed") this.#remove(inWork, share, taken);
    }

    #handOverAgain(inWork: CommandInWork): void {
        const kept = new Set<string>();
        for (const [nodeId, { phase }] of inWork.shares) if (phase === "kept") kept.add(nodeId);
        if (kept.size === 0) return;
        for (const nodeId of kept) inWork.shares.delete(nodeId);
        inWork.command = { ...inWork.command, duplicate: true };
        const takers = this.#deps.takersOf(inWork.command);
        const same = takers.filter(({ nodeId }) => kept.has(nodeId));
        // A node that had the command is gone: one that is new may have come in its place. Others must not get it without a reason.
        const others = same.length < kept.size ? takers.filter(({ nodeId }) => !inWork.nodeIds.has(nodeId)) : [];
        if (inWork.shares.size === 0 && same.length + others.length === 0) this.#deps.listener.abandoned(inWork.command);
        this.#handToAll([...same, ...others], inWork);
    }

    #timeOver(inWork: CommandInWork, share: Share): void {
        share.isOverdue = true;
        // What became of an answer that is on its way decides.
        if (share.phase !== "working" || this.#isPaused) return;
        const [oldest] = this.#overdue;
        if (this.#overdue.size >= maxOverdue && oldest !== undefined) this.#overdue.delete(oldest);
        this.#overdue.add(keyOf({ id: inWork.command.id, nodeId: share.taker.nodeId }));
        share.taker.timedOut?.(inWork.command);
        this.#end(inWork, share, "timeout");
    }

    #end(inWork: CommandInWork, share: Share, outcome: CommandOutcome): void {
        this.#remove(inWork, share, outcome);
        this.#endIfDone(inWork);
    }

    #remove(inWork: CommandInWork, share: Share, outcome: CommandOutcome): void {
        share.timer?.cancel();
        if (inWork.shares.get(share.taker.nodeId) === share) inWork.shares.delete(share.taker.nodeId);
        inWork.ended(outcome);
    }

    #endIfDone(inWork: CommandInWork): void {
        if (!inWork.isHandedOver || inWork.shares.size > 0 || !this.#inFlow.delete(inWork.command.id)) return;
        const { command, outcome, receivedMs, accepted } = inWork;
        this.#deps.listener.ended(command, outcome, this.#deps.clock.monotonicMs() - receivedMs);
        accepted();
        this.#deps.listener.placeFree();
    }
}

/** What the commands in work need of the rest. */
export interface CommandsInWorkDeps {
    readonly clock: Clock;
    readonly listener: CommandsListener;
    /** The nodes that take a command now. */
    takersOf(command: ReceivedCommand): readonly CommandTaker[];
}

/** Notified of what becomes of commands. */
export interface CommandsListener {
    /** A command was handed to a flow that has to send it back. */
    started(command: ReceivedCommand): void;
    /** A command ended, `tookMs` after it was received; absent where nothing had to be sent back. */
    ended(command: ReceivedCommand, outcome: CommandOutcome, tookMs?: number): void;
    /** After a deploy no node takes a command any more that one had before. */
    abandoned(command: ReceivedCommand): void;
    /** One more command may be in the flow. */
    placeFree(): void;
}

/** An answer of the flow that was taken. Exactly one of the two is called. */
export interface CommandAnswer {
    readonly command: ReceivedCommand;
    /** It is safe: the node is done with the command. */
    finished(): void;
    /** It could not be taken on: the flow may send the command back again, until its time is over. */
    failed(): void;
}

/** A command in the flow. */
class CommandInWork {
    readonly receivedMs: number;
    readonly accepted: () => void;
    /** Of each node that has to send it back and has not yet, by node. */
    readonly shares = new Map<string, Share>();
    /** The nodes that had it. */
    readonly nodeIds = new Set<string>();
    command: ReceivedCommand;
    /** Every node that takes it has it. */
    isHandedOver = false;
    #outcome: CommandOutcome = "unclaimed";

    constructor(command: ReceivedCommand, receivedMs: number, accepted: () => void) {
        this.command = command;
        this.receivedMs = receivedMs;
        this.accepted = accepted;
    }

    get outcome(): CommandOutcome {
        return this.#outcome;
    }

    /** It ended at one node. */
    ended(outcome: CommandOutcome): void {
        this.#outcome = worse(this.#outcome, outcome);
    }
}

/** One node's part in a command. */
interface Share {
    readonly taker: CommandTaker;
    phase: "working" | "answering" | "kept";
    /** The node was stopped. */
    isStopped: boolean;
    /** The time of the flow is over. */
    isOverdue: boolean;
    timer: Timer | undefined;
}

function isAnswering({ timeoutMs }: CommandTaker): boolean {
    return timeoutMs !== undefined;
}

function outcomeOf(taken: ReturnType<CommandTaker["received"]>): CommandOutcome {
    return taken === "passed" ? "received" : taken;
}

function worse(one: CommandOutcome, other: CommandOutcome): CommandOutcome {
    return commandOutcomes.indexOf(one) < commandOutcomes.indexOf(other) ? other : one;
}

function keyOf({ id, nodeId }: CommandReference): string {
    return `${id}/${nodeId}`;
}

function badAnswer(text: string): GatewayError {
    return new GatewayError("GW_BAD_COMMAND", text);
}
