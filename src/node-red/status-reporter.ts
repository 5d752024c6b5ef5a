import type { Node, NodeAPI, NodeStatus } from "node-red";
import { type Clock, systemClock } from "../clock";
import type { GatewayError } from "../errors";

/** A status in the vocabulary of the catalogues: the key below `<type>.status.` and its parameters. */
export interface StatusText {
    readonly fill: "red" | "green" | "yellow" | "blue" | "grey";
    readonly shape: "dot" | "ring";
    readonly key: string;
    readonly parameters?: Readonly<Record<string, string | number>>;
    /** Events that wait meanwhile; told beside it. */
    readonly waiting?: number;
}

/** How long a failure is shown at least, also when the next message succeeds at once: long enough to be read. */
const failureShownMs = 5_000;

/** The status of one node: sent only when it changed, because each goes to every open editor. */
export class StatusReporter {
    readonly #RED: NodeAPI;
    readonly #node: Node;
    readonly #clock: Clock;
    #sent = "";
    /** The last status of the catalogue. */
    #standing: NodeStatus = {};
    /** When the last message failed, while the status tells of it. */
    #failedAtMs: number | undefined;

    constructor(RED: NodeAPI, node: Node, clock: Clock = systemClock) {
        this.#RED = RED;
        this.#node = node;
        this.#clock = clock;
    }

    /** Shows a status of the catalogue. */
    show({ fill, shape, key, parameters, waiting }: StatusText): void {
        const words = `${this.#node.type}.status`;
        const name = `${words}.${key}`;
        // A bare key is translated in each editor; with parameters only the server can fill them in.
        const isBare = parameters === undefined && waiting === undefined;
        const status = isBare ? name : this.#RED._(name, { ...parameters });
        this.#standing = {
            fill,
            shape,
            text: waiting === undefined ? status : this.#RED._(`${words}.queued`, { status, count: grouped(waiting) }),
        };
        this.#failedAtMs = undefined;
        this.#send(this.#standing);
    }

    /** Shows that a message failed, and for which device where that matters, until the next change of state or a later success. */
    failed(error: GatewayError, device = ""): void {
        this.#failedAtMs = this.#clock.monotonicMs();
        this.#send({ fill: "red", shape: "dot", text: `${error.code} ${device}`.trim() });
    }

    /** A message succeeded: a failure that was shown for a while is over. */
    succeeded(): void {
        if (this.#failedAtMs === undefined || this.#clock.monotonicMs() - this.#failedAtMs < failureShownMs) return;
        this.#failedAtMs = undefined;
        this.#send(this.#standing);
    }

    /** Removes the status. */
    clear(): void {
        this.#failedAtMs = undefined;
        this.#send({});
    }

    #send(status: NodeStatus): void {
        const text = JSON.stringify(status);
        if (text === this.#sent) return;
        this.#sent = text;
        this.#node.status(status);
    }
}

/** A number that can be read at a glance, in any language: "12 430". */
export function grouped(count: number): string {
    return String(count).replace(/\B(?=(\d{3})+$)/g, " ");
}
