import type { Node, NodeAPI, NodeMessage } from "node-red";
import { type Clock, systemClock } from "../clock";
import { describeThrown, type GatewayError } from "../errors";
import { translate } from "../i18n";
import { LogLimiter } from "../log-limiter";
import { failedHook, raiseForCatchNodes } from "./api";

const errorsPerMinute = 30;
/** Node-RED brings an error to the same Catch node no more often, and logs a warning instead. */
const maxCatches = 9;

/** Node-RED's callback that ends the handling of a message. */
export type Done = (error?: Error) => void;

/**
 * Where a node hands messages and errors to the flow. Neither can end the process, whatever the platform or the flow put into
 * them. Catch nodes get every error; of those that nobody catches, Node-RED logs each, so here only the first ones of a minute
 * get that far, and the rest is counted.
 */
export class NodeOutput {
    readonly #RED: NodeAPI;
    readonly #node: Node;
    readonly #logLimiter: LogLimiter;

    constructor(RED: NodeAPI, node: Node, clock: Clock = systemClock) {
        this.#RED = RED;
        this.#node = node;
        this.#logLimiter = new LogLimiter(clock, errorsPerMinute, (count) => node.warn(translate("flow.notLogged", { count })));
    }

    /** Sends a message on, or one for each output. */
    send(message: NodeMessage | (NodeMessage | null)[]): void {
        try {
            this.#node.send(message);
        } catch (thrown) {
            this.complain(translate("flow.notHandedOver", { reason: describeThrown(thrown) }));
        }
    }

    /** Raises an error about a message that did not come from the flow. */
    raise(error: GatewayError, message: NodeMessage): void {
        const mayLog = this.#logLimiter.mayWrite();
        handOn(message, (stub) => {
            if (mayLog) this.#node.error(error, stub);
            else this.#raiseSilently(error, stub);
        });
    }

    /** The same for what belongs in the log even when a Catch node takes it: why a link was down at night is looked up there. */
    raiseAndLog(error: GatewayError, message: NodeMessage): void {
        const mayLog = this.#logLimiter.mayWrite();
        handOn(message, (stub) => {
            const isCaught = raiseForCatchNodes(this.#node, error, stub);
            if (!mayLog) this.#logLimiter.omit();
            else if (isCaught) this.#node.warn(String(error));
            else this.#node.error(error);
        });
    }

    /** Fails a message of the flow. */
    fail(error: GatewayError, message: NodeMessage, done: Done): void {
        const mayLog = this.#logLimiter.mayWrite();
        if (!mayLog) failedHook(this.#RED, this.#node, error, message);
        handOn(message, (stub) => {
            if (!mayLog) this.#raiseSilently(error, stub);
            else if (stub === message) done(error);
            else this.#node.error(error, stub);
        });
    }

    /** Puts an error into the log that is not about a message. */
    complain(text: string): void {
        if (this.#logLimiter.mayWrite()) this.#node.error(text);
        else this.#logLimiter.omit();
    }

    /** Reports how many errors were not logged, if any, and ends the timer. */
    close(): void {
        this.#logLimiter.close();
    }

    #raiseSilently(error: GatewayError, message: NodeMessage): void {
        if (isLooping(this.#node, message) || !raiseForCatchNodes(this.#node, error, message)) this.#logLimiter.omit();
    }
}

/** Whether a Catch node has sent the message back to the node so often that Node-RED would only warn of the loop. */
function isLooping(node: Node, { error }: NodeMessage & { readonly error?: unknown }): boolean {
    const source: unknown = Object(Object(error).source);
    return Reflect.get(Object(source), "id") === node.id && Number(Reflect.get(Object(source), "count")) >= maxCatches;
}

/** Hands a message on; where Node-RED cannot clone it for a Catch node, as with a getter that throws, its outline. */
function handOn(message: NodeMessage, hand: (stub: NodeMessage) => void): void {
    try {
        hand(message);
    } catch {
        hand(messageStub(message));
    }
}

/** What can be told of a message that cannot be cloned. */
export function messageStub(message: NodeMessage): NodeMessage {
    const stub: NodeMessage = {};
    for (const name of ["_msgid", "topic"]) {
        try {
            const value = message[name];
            if (typeof value === "string") stub[name] = value;
        } catch {
            // This very property is the one whose getter throws.
        }
    }
    return stub;
}
