import type { Node, NodeMessage } from "node-red";
import { systemClock } from "../clock";
import { describeThrown, type ErrorCode, type GatewayError, toGatewayError } from "../errors";
import { isReturnedTooOften, type UndeliveredEvent, undeliveredMessage } from "../gateway/events/undelivered-message";
import type { LateMessage } from "../gateway/gateway-listeners";
import { translate } from "../i18n";
import { type Done, messageStub, type NodeOutput } from "./node-output";
import type { StatusReporter } from "./status-reporter";

/**
 * Ends the handling of one message: done or failed, whichever comes first, and never twice. The single place where a failure becomes an
 * error for Catch nodes and a status, and a success ends that status.
 */
export class MessageCompletion {
    readonly #node: Node;
    readonly #output: NodeOutput;
    readonly #message: NodeMessage;
    readonly #status: StatusReporter | undefined;
    #done: Done | undefined;
    /** When the handling began; undefined unless Node-RED's metrics are switched on (`logging.*.metrics`). */
    readonly #startedMs: number | undefined;

    constructor(node: Node, output: NodeOutput, message: NodeMessage, done: Done, status?: StatusReporter) {
        this.#node = node;
        this.#output = output;
        this.#message = message;
        this.#status = status;
        this.#done = done;
        if (node.metric()) this.#startedMs = systemClock.monotonicMs();
    }

    /** Completes the message: Complete nodes fire. */
    done(): void {
        const done = this.#take();
        if (!done) return;
        this.#measure("complete");
        this.#status?.succeeded();
        try {
            done();
        } catch (thrown) {
            // A Complete node clones the message, which fails for one with a getter that throws.
            this.#output.complain(translate("flow.completeFailed", { reason: describeThrown(thrown) }));
        }
    }

    /** Fails the message: Catch nodes receive it with the error. */
    failed(error: GatewayError): void {
        const done = this.#take();
        if (!done) return;
        this.#measure("failed");
        this.#status?.failed(error);
        this.#output.fail(error, this.#message, done);
    }

    /** Fails the message, whose event was taken but not delivered: Catch nodes receive it with its data. Returns whether one did. */
    undelivered(event: UndeliveredEvent): boolean {
        if (!this.#take()) return false;
        const { error } = event;
        this.#measure("failed");
        this.#status?.failed(error);
        this.#output.ended(error, this.#message);
        if (isReturnedTooOften(event)) return false;
        return this.#output.handOver(error, withData(this.#message, undeliveredMessage(event)), event.event.returns);
    }

    /** The milliseconds until the end, as `node.<type>.complete` or `.failed` among Node-RED's metrics. */
    #measure(event: string): void {
        if (this.#startedMs !== undefined)
            this.#node.metric(event, messageStub(this.#message), systemClock.monotonicMs() - this.#startedMs);
    }

    #take(): Done | undefined {
        const done = this.#done;
        this.#done = undefined;
        return done;
    }
}

/** The message with the data of its event. */
function withData(message: NodeMessage, data: LateMessage): NodeMessage {
    try {
        return { ...message, ...data };
    } catch {
        // A getter threw.
        return { ...messageStub(message), ...data };
    }
}

/**
 * Handles a node's messages. The handler ends each one through its completion. An error that it throws, or rejects with, fails the
 * message instead of ending the Node-RED process.
 */
export function onInput(
    node: Node,
    options: InputOptions,
    handle: (message: NodeMessage, completion: MessageCompletion) => void | Promise<void>,
): void {
    // Node-RED looks at the number of declared parameters: three means that this handler calls done itself.
    node.on("input", (message, _send, done) => {
        const completion = new MessageCompletion(node, options.output, message, done, options.status);
        try {
            const pending = handle(message, completion);
            if (pending) pending.catch((thrown: unknown) => completion.failed(toGatewayError(thrown, options.code)));
        } catch (thrown) {
            completion.failed(toGatewayError(thrown, options.code));
        }
    });
}

/** How `onInput` reports the end of a message. */
export interface InputOptions {
    readonly output: NodeOutput;
    readonly status?: StatusReporter;
    /** The code of an error that the handler throws without one. */
    readonly code: ErrorCode;
}
