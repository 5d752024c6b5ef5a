import type { Node, NodeAPI, NodeStatus } from "node-red";
import { type Clock, systemClock } from "../clock";
import type { GatewayError } from "../errors";
import { onceForEachWatcher } from "./api";

/**
 * Shows the status of one node. Each status goes to every open editor and to Status nodes, which may make events of it, so it is sent
 * only when it has changed. While a backlog only grows or shrinks, its numbers change every 10 s at most.
 */
export class StatusReporter {
    readonly #RED: NodeAPI;
    readonly #node: Node;
    readonly #clock: Clock;
    #sent = "";
    /** The status to return to after a failure. */
    #standing: NodeStatus = {};
    /** The name of the standing status, without the numbers of a backlog. */
    #standingName = "";
    /** When the numbers of a backlog were shown last. */
    #numbersAtMs = Number.NEGATIVE_INFINITY;
    /** When the last message failed, while the status shows that. */
    #failedAtMs: number | undefined;

    constructor(RED: NodeAPI, node: Node, clock: Clock = systemClock) {
        this.#RED = RED;
        this.#node = node;
        this.#clock = clock;
    }

    /** Shows a status of the catalogue. A failure stays in sight if the status is the same as before, whatever the backlog. */
    show(status: StatusText): void {
        const name = nameOf(status);
        const isSame = name === this.#standingName;
        const nowMs = this.#clock.monotonicMs();
        if (isSame && (!isBacklog(status) || nowMs - this.#numbersAtMs < numbersShownMs)) return;
        if (isBacklog(status)) this.#numbersAtMs = nowMs;
        this.#standingName = name;
        this.#standing = { fill: status.fill, shape: status.shape, text: this.#textOf(status) };
        if (isSame && this.#failedAtMs !== undefined) return;
        this.#failedAtMs = undefined;
        this.#send(this.#standing);
    }

    /** Shows that a message failed, and for which device where that matters, until the next change of state or a later success. */
    failed(error: GatewayError, device = ""): void {
        this.#failedAtMs = this.#clock.monotonicMs();
        this.#send({ fill: "red", shape: "dot", text: `${error.code} ${device}`.trim() });
    }

    /** A message succeeded: a failure that was in sight long enough is over. */
    succeeded(): void {
        if (this.#failedAtMs === undefined || this.#clock.monotonicMs() - this.#failedAtMs < failureShownMs) return;
        this.#failedAtMs = undefined;
        this.#send(this.#standing);
    }

    /** Removes the status. */
    clear(): void {
        this.#failedAtMs = undefined;
        this.#standingName = "";
        this.#send({});
    }

    #textOf({ key, parameters, waiting, waitingHigh, remaining }: StatusText): string {
        const words = `${this.#node.type}.status`;
        const isDraining = waiting !== undefined && remaining !== undefined;
        const [kind, high] = waitingHigh === undefined ? ["", {}] : ["High", { high: stepped(waitingHigh) }];
        if (isDraining) return this.#RED._(`${words}.${key}${kind}`, { ...parameters, count: stepped(waiting), ...high, remaining });
        // A bare key is translated in each editor; with parameters only the server can fill them in.
        const isBare = parameters === undefined && waiting === undefined;
        const status = isBare ? `${words}.${key}` : this.#RED._(`${words}.${key}`, { ...parameters });
        return waiting === undefined ? status : this.#RED._(`${words}.queued${kind}`, { status, count: stepped(waiting), ...high });
    }

    #send(status: NodeStatus): void {
        const text = JSON.stringify(status);
        if (text === this.#sent) return;
        this.#sent = text;
        try {
            onceForEachWatcher(this.#node, () => this.#node.status(status));
        } catch {
            // A Status node somewhere in the flows failed. The next change is shown again.
        }
    }
}

/** A status in the vocabulary of the catalogues: the key below `<type>.status.` and its parameters. */
export interface StatusText {
    readonly fill: "red" | "green" | "yellow" | "blue" | "grey";
    readonly shape: "dot" | "ring";
    readonly key: string;
    readonly parameters?: Readonly<Record<string, string | number>>;
    /** Events that wait meanwhile. With `remaining` their number is a parameter of the text, otherwise it is put after it. */
    readonly waiting?: number;
    /** Those of high priority among them, if there are any. */
    readonly waitingHigh?: number;
    /** How long a backlog will take to shrink, as text. */
    readonly remaining?: string;
}

/** How long a failure is shown at least, even if the next message succeeds at once: long enough to be read. */
const failureShownMs = 5_000;
/** How long the numbers of a backlog stay. */
const numbersShownMs = 10_000;

function isBacklog({ waiting }: StatusText): boolean {
    return waiting !== undefined;
}

function nameOf({ fill, shape, key, parameters, waiting, waitingHigh }: StatusText): string {
    return JSON.stringify([fill, shape, key, parameters, waiting !== undefined, waitingHigh !== undefined]);
}

/** A number that changes rarely while a backlog grows, in steps of 1, 2 and 5: "2", "2+" for three or four, "10 000+" for 12 430. */
export function stepped(count: number): string {
    const power = 10 ** Math.floor(Math.log10(Math.max(count, 1)));
    const step = power * (count >= 5 * power ? 5 : count >= 2 * power ? 2 : 1);
    return step >= count ? grouped(count) : `${grouped(step)}+`;
}

/** A number that can be read at a glance, in any language: "12 430". */
export function grouped(count: number): string {
    return String(count).replace(/\B(?=(\d{3})+$)/g, " ");
}
