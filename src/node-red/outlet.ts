import type { Node, NodeMessage } from "node-red";
import { type Clock, systemClock, type Timer } from "../clock";
import { describeThrown, type GatewayError } from "../errors";
import { raiseForCatchNodes } from "./api";

const errorsPerMinute = 30;
const minuteMs = 60_000;

/**
 * Where a node hands the flow what it did not get from the flow: messages from the platform, and errors about them. Neither
 * can end the process, whatever the platform sent. Catch nodes get every error; of those that nobody catches, Node-RED logs
 * each, so here only the first ones of a minute get that far, and the rest is counted.
 */
export class Outlet {
    readonly #node: Node;
    readonly #clock: Clock;
    #errors = 0;
    #notLogged = 0;
    #minute: Timer | undefined;

    constructor(node: Node, clock: Clock = systemClock) {
        this.#node = node;
        this.#clock = clock;
    }

    /** Sends a message on, or one for each output. */
    send(message: NodeMessage | (NodeMessage | null)[]): void {
        try {
            this.#node.send(message);
        } catch (thrown) {
            this.#node.error(`A message could not be handed to the flow: ${describeThrown(thrown)}`);
        }
    }

    /** Raises an error with the message it is about. */
    raise(error: GatewayError, message: NodeMessage): void {
        this.#hand(error, (mayLog) => {
            if (mayLog) this.#node.error(error, message);
            else if (!raiseForCatchNodes(this.#node, error, message)) this.#notLogged += 1;
        });
    }

    /** The same for what belongs in the log even when a Catch node takes it: why a link was down at night is looked up there. */
    raiseAndLog(error: GatewayError, message: NodeMessage): void {
        this.#hand(error, (mayLog) => {
            const isCaught = raiseForCatchNodes(this.#node, error, message);
            if (!mayLog) this.#notLogged += 1;
            else if (isCaught) this.#node.warn(error.message);
            else this.#node.error(error);
        });
    }

    #hand(error: GatewayError, hand: (mayLog: boolean) => void): void {
        this.#minute ??= this.#clock.setTimer(minuteMs, () => this.#endMinute());
        this.#errors += 1;
        try {
            hand(this.#errors <= errorsPerMinute);
        } catch (thrown) {
            this.#node.error(`${error.message} The message it is about could not be handed to the flow: ${describeThrown(thrown)}`);
        }
    }

    /** Tells how many errors were not logged, if any, and ends the timer. */
    close(): void {
        this.#minute?.cancel();
        this.#endMinute();
    }

    #endMinute(): void {
        if (this.#notLogged > 0) this.#node.warn(`${this.#notLogged} further errors of this node were not logged; a Catch node gets each.`);
        this.#minute = undefined;
        this.#errors = 0;
        this.#notLogged = 0;
    }
}
