import type { Node, NodeMessage } from "node-red";
import { describeThrown, type GatewayError } from "../errors";
import { translate } from "../i18n";
import { type Done, messageStub, type NodeOutput } from "./node-output";
import type { StatusReporter } from "./status-reporter";

/**
 * The end of one message: done or failed, whichever comes first, and never twice. The one place where a failure becomes
 * an error for Catch nodes and a status, and a success ends that status.
 */
export class MessageCompletion {
    readonly #node: Node;
    readonly #output: NodeOutput;
    readonly #message: NodeMessage;
    readonly #status: StatusReporter | undefined;
    #done: Done | undefined;
    /** When the handling began, where Node-RED's metrics are switched on (`logging.*.metrics`). */
    readonly #startedMs: number | undefined;

    constructor(node: Node, output: NodeOutput, message: NodeMessage, done: Done, status?: StatusReporter) {
        this.#node = node;
        this.#output = output;
        this.#message = message;
        this.#status = status;
        this.#done = done;
        if (node.metric()) this.#startedMs = performance.now();
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

    /** Fails the message: Catch nodes get it with the error. */
    failed(error: GatewayError): void {
        const done = this.#take();
        if (!done) return;
        this.#measure("failed");
        this.#status?.failed(error);
        this.#output.fail(error, this.#message, done);
    }

    /** The milliseconds until the end, as `node.<type>.complete` or `.failed` among Node-RED's metrics. */
    #measure(event: string): void {
        if (this.#startedMs !== undefined) this.#node.metric(event, messageStub(this.#message), performance.now() - this.#startedMs);
    }

    #take(): Done | undefined {
        const done = this.#done;
        this.#done = undefined;
        return done;
    }
}
