import type { Node, NodeAPI, NodeMessage } from "node-red";
import { type Clock, systemClock } from "../clock";
import { describeThrown, type GatewayError } from "../errors";
import { translate } from "../i18n";
import { LogLimiter } from "../log-limiter";
import { failedHook, onceForEachWatcher, raiseForCatchNodes } from "./api";
import { FailurePacer } from "./failure-pacer";

/**
 * Hands the messages and errors of a node to the flow. Neither can end the process, whatever the platform or the flow put into them.
 * Catch nodes get every error; one of a configuration node reaches each of them once. Node-RED logs each error that is not caught, so
 * only the first 30 in a minute get that far, and the others are counted.
 */
export class NodeOutput {
    readonly #RED: NodeAPI;
    readonly #node: Node;
    readonly #logLimiter: LogLimiter;
    readonly #pacer: FailurePacer;

    constructor(RED: NodeAPI, node: Node, clock: Clock = systemClock) {
        this.#RED = RED;
        this.#node = node;
        this.#pacer = new FailurePacer(clock);
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
        this.#handOn(error, message, (stub) => {
            if (mayLog) this.#node.error(error, stub);
            else this.#raiseSilently(error, stub);
        });
    }

    /** Raises an error and logs it even if a Catch node takes it: the reason for an interruption at night is looked up in the log. */
    raiseAndLog(error: GatewayError, message: NodeMessage): void {
        const mayLog = this.#logLimiter.mayWrite();
        this.#handOn(error, message, (stub) => {
            const isCaught = raiseForCatchNodes(this.#node, error, stub);
            if (!mayLog) this.#logLimiter.omit();
            else if (isCaught) this.#node.warn(String(error));
            else this.#node.error(error);
        });
    }

    /**
     * Raises an error about an event that was not delivered, and returns whether a Catch node got it. Node-RED counts how often a message
     * comes back; what was counted before is in the message, so that it goes on.
     */
    handOver(error: GatewayError, message: NodeMessage, returns: number): boolean {
        const mayLog = this.#logLimiter.mayWrite();
        const { id, type, name } = this.#node;
        const counted = returns === 0 ? message : { ...message, error: { source: { id, type, name, count: returns } } };
        let isCaught = false;
        this.#handOn(error, counted, (stub) => {
            isCaught = raiseForCatchNodes(this.#node, error, stub);
            if (isCaught) return;
            if (mayLog) this.#node.error(error);
            else this.#logLimiter.omit();
        });
        return isCaught;
    }

    /** A message of the flow has failed, and is reported in another way than by `fail`. */
    ended(error: GatewayError, message: NodeMessage): void {
        failedHook(this.#RED, this.#node, error, message);
    }

    /** Fails a message of the flow, in a flood of failures when it is its turn. */
    fail(error: GatewayError, message: NodeMessage, done: Done): void {
        this.#pacer.add(() => this.#fail(error, message, done));
    }

    #fail(error: GatewayError, message: NodeMessage, done: Done): void {
        const mayLog = this.#logLimiter.mayWrite();
        if (!mayLog) failedHook(this.#RED, this.#node, error, message);
        this.#handOn(error, message, (stub) => {
            if (!mayLog) this.#raiseSilently(error, stub);
            else if (stub === message) done(error);
            else this.#node.error(error, stub);
        });
    }

    /** Logs an error that is not about a message. */
    complain(text: string): void {
        if (this.#logLimiter.mayWrite()) this.#node.error(text);
        else this.#logLimiter.omit();
    }

    /** Hands on the failures that wait, reports how many errors were not logged, if any, and ends the timers. */
    close(): void {
        this.#pacer.close();
        this.#logLimiter.close();
    }

    #raiseSilently(error: GatewayError, message: NodeMessage): void {
        if (isLooping(this.#node, message) || !raiseForCatchNodes(this.#node, error, message)) this.#logLimiter.omit();
    }

    /**
     * Hands a message to Catch nodes; where Node-RED cannot clone it for them, as with a getter that throws, its stub. If that fails
     * too, the error only goes into the log.
     */
    #handOn(error: GatewayError, message: NodeMessage, hand: (message: NodeMessage) => void): void {
        onceForEachWatcher(this.#node, () => {
            try {
                hand(message);
            } catch {
                try {
                    hand(messageStub(message));
                } catch {
                    this.#node.error(error);
                }
            }
        });
    }
}

/** Node-RED's callback that ends the handling of a message. */
export type Done = (error?: Error) => void;

/** What is left of a message that cannot be cloned: its id and its topic. */
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

const errorsPerMinute = 30;
/** Node-RED brings an error to the same Catch node no more often, and logs a warning instead. */
const maxCatches = 9;

/** Whether a Catch node has sent the message back to the node so often that Node-RED would only warn of the loop. */
function isLooping(node: Node, { error }: NodeMessage & { readonly error?: unknown }): boolean {
    const source: unknown = Object(Object(error).source);
    return Reflect.get(Object(source), "id") === node.id && Number(Reflect.get(Object(source), "count")) >= maxCatches;
}
