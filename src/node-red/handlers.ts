import type { Node, NodeMessage } from "node-red";
import { describeThrown, type ErrorCode, toGatewayError } from "../errors";
import { translate } from "../i18n";
import { MessageCompletion } from "./message-completion";
import type { NodeOutput } from "./node-output";
import type { StatusReporter } from "./status-reporter";

/** How `onInput` reports. */
export interface InputOptions {
    readonly output: NodeOutput;
    readonly status?: StatusReporter;
    /** The code for what the handler throws that has none. */
    readonly code: ErrorCode;
}

/**
 * Handles a node's messages. The handler ends each one through its completion, which works exactly once; what it throws,
 * or rejects with, fails the message instead of ending the Node-RED process.
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

/**
 * Runs `close` when the node stops, and lets Node-RED go on when its promise settles, whatever the outcome.
 * `close` gets whether the node was removed or disabled, as opposed to restarted.
 */
export function onClose(node: Node, close: (removed: boolean) => void | Promise<void>): void {
    // Two declared parameters, or Node-RED would not wait for `done`.
    node.on("close", (removed: boolean, done: () => void) => {
        const failed = (thrown: unknown) => node.warn(translate("flow.closingFailed", { reason: describeThrown(thrown) }));
        try {
            const pending = close(removed);
            if (pending) {
                pending.catch(failed).finally(done).catch(failed);
                return;
            }
        } catch (thrown) {
            failed(thrown);
        }
        done();
    });
}
