import type { ConnectionListener, ConnectionState } from "../../../src/connection/gateway-connection";
import type { ReceivedMessage } from "../../../src/connection/link";

/** Records what a connection reports, and takes messages at once unless the test holds them. */
export class ConnectionRecorder implements ConnectionListener {
    readonly states: ConnectionState[] = [];
    readonly messages: ReceivedMessage[] = [];
    readonly held: (() => void)[] = [];
    holding = false;
    strayPings = 0;
    drains = 0;
    onDrained: () => void = () => {};

    stateChanged(state: ConnectionState): void {
        this.states.push(state);
    }

    messageReceived(message: ReceivedMessage, accepted: () => void): void {
        this.messages.push(message);
        if (this.holding) this.held.push(accepted);
        else accepted();
    }

    strayPing(): void {
        this.strayPings++;
    }

    drained(): void {
        this.drains++;
        this.onDrained();
    }

    get phases(): string[] {
        return this.states.map((state) => state.phase);
    }

    /** The reason of the latest state that has one. */
    get lastReason() {
        return this.states.filter((state) => state.phase === "waiting").at(-1)?.reason;
    }

    get topics(): string[] {
        return this.messages.map((message) => message.topic);
    }
}
