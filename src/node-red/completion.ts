import type { Node, NodeAPI, NodeMessage } from "node-red";
import { describeThrown, type GatewayError } from "../errors";
import type { StatusReporter } from "./status";

/** Node-RED's callback that ends the handling of a message. */
export type Done = (error?: Error) => void;

/**
 * The end of one message: done or failed, whichever comes first, and never twice. The one place where a failure becomes
 * an error for Catch nodes and a status.
 */
export class Completion {
    #done: Done | undefined;

    constructor(
        private readonly RED: NodeAPI,
        private readonly node: Node,
        private readonly message: NodeMessage,
        done: Done,
        private readonly status?: StatusReporter,
    ) {
        this.#done = done;
    }

    /** Completes the message: Complete nodes fire. */
    done(): void {
        const done = this.#take();
        if (!done) return;
        try {
            done();
        } catch (thrown) {
            // A Complete node clones the message, which fails for one with a getter that throws.
            this.node.error(`The message was handled, but a Complete node could not take it: ${describeThrown(thrown)}`);
        }
    }

    /** Fails the message: Catch nodes get it with the error. */
    failed(error: GatewayError): void {
        const done = this.#take();
        if (!done) return;
        this.status?.failed(error);
        // Node-RED clones the message for Catch nodes; one that cannot be cloned would end the process.
        if (isCloneable(this.RED, this.message)) done(error);
        else this.node.error(error, outline(this.message));
    }

    #take(): Done | undefined {
        const done = this.#done;
        this.#done = undefined;
        return done;
    }
}

function isCloneable(RED: NodeAPI, message: NodeMessage): boolean {
    try {
        RED.util.cloneMessage(message);
        return true;
    } catch {
        return false;
    }
}

/** What can be told of a message that cannot be cloned. */
function outline(message: NodeMessage): NodeMessage {
    const told: NodeMessage = {};
    for (const name of ["_msgid", "topic"]) {
        try {
            const value = message[name];
            if (typeof value === "string") told[name] = value;
        } catch {
            // This very property is the one whose getter throws.
        }
    }
    return told;
}
