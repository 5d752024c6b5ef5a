import type { ConnectionState } from "../connection/gateway-connection";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import type { CompletionCallbacks } from "../outbox/event";

/** Requests of one kind that wait for their outcome. */
const maxWaiting = 1000;

/** What flows and operators can ask of the link of a gateway. */
export const linkActions = ["connect", "disconnect", "pause", "resume"] as const;

/**
 * Whether a gateway is to be connected, and whether it is to send events: at first as it is set, then as flows and operators ask. The two are
 * independent, and outlast lost connections and deploys that keep the gateway.
 */
export class LinkControl {
    readonly #deps: LinkControlDeps;
    #isWanted: boolean;
    #isPaused = false;
    /** Whether a connection may be opened: the outbox file has been read. */
    #isOpened = false;
    /** The connection is ended because of a request. */
    #isEnding = false;
    /** Why no connection can be opened any more. */
    #obstacle: GatewayError | undefined;
    readonly #connects: CompletionCallbacks[] = [];
    readonly #disconnects: CompletionCallbacks[] = [];

    constructor(deps: LinkControlDeps) {
        this.#deps = deps;
        this.#isWanted = deps.isWanted;
    }

    get isPaused(): boolean {
        return this.#isPaused;
    }

    get condition(): LinkCondition {
        return { isWanted: this.#isWanted, isPaused: this.#isPaused };
    }

    /**
     * Carries a request out. `connect` is done when the server has accepted the connection, and fails with the reason of the attempt under
     * way, which is followed by others; `disconnect` is done when the connection has ended. Returns whether anything changes.
     */
    request(action: LinkAction, completion: CompletionCallbacks = nobody): boolean {
        switch (action) {
            case "connect":
                return this.#connect(completion);
            case "disconnect":
                return this.#disconnect(completion);
            case "pause":
            case "resume": {
                const isChange = this.#pause(action === "pause");
                completion.done();
                return isChange;
            }
        }
    }

    /** A connection may be opened from now on. */
    opened(): void {
        this.#isOpened = true;
        if (this.#isWanted && !this.#obstacle) this.#deps.open();
    }

    /** No connection can be opened, or none any more. */
    close(obstacle: GatewayError): void {
        this.#obstacle = obstacle;
        this.#failConnects(obstacle);
        this.#finishDisconnects();
    }

    /** The connection is in another state. May lead to the next one. */
    connectionChanged(state: ConnectionState): void {
        if (this.#obstacle) return;
        if (state.phase === "online") {
            for (const completion of this.#connects.splice(0)) completion.done();
            return;
        }
        if (state.phase === "closed") {
            this.#isEnding = false;
            this.#finishDisconnects();
            if (this.#isWanted && this.#isOpened) this.#deps.open();
            return;
        }
        if (!this.#isWanted) {
            // It was lost before it could be ended.
            this.#deps.end();
        } else if (this.#isEnding) {
            this.#isEnding = false;
            this.#finishDisconnects();
        } else if (state.phase === "waiting") {
            this.#failConnects(new GatewayError(state.reason.code, state.reason.text));
        }
    }

    #connect(completion: CompletionCallbacks): boolean {
        if (this.#obstacle) {
            completion.failed(this.#obstacle);
            return false;
        }
        const isChange = !this.#isWanted;
        const { phase } = this.#deps.connection.state;
        this.#isWanted = true;
        if (phase === "online" && !this.#isEnding) completion.done();
        else enqueue(this.#connects, completion);
        if (!isChange) return false;
        this.#deps.changed();
        if (this.#isOpened && phase === "closed") this.#deps.open();
        return true;
    }

    #disconnect(completion: CompletionCallbacks): boolean {
        const isChange = this.#isWanted;
        this.#isWanted = false;
        this.#failConnects(notConnected(translate("gateway.disconnectRequested")));
        if (this.#obstacle || this.#deps.connection.state.phase === "closed") completion.done();
        else enqueue(this.#disconnects, completion);
        if (!isChange) return false;
        this.#deps.changed();
        if (this.#deps.connection.state.phase === "closed" || this.#isEnding) return true;
        this.#isEnding = true;
        this.#deps.end();
        return true;
    }

    #pause(isPaused: boolean): boolean {
        if (this.#obstacle || this.#isPaused === isPaused) return false;
        this.#isPaused = isPaused;
        if (isPaused) this.#deps.paused();
        else this.#deps.resumed();
        this.#deps.changed();
        return true;
    }

    #failConnects(error: GatewayError): void {
        for (const completion of this.#connects.splice(0)) completion.failed(error);
    }

    #finishDisconnects(): void {
        for (const completion of this.#disconnects.splice(0)) completion.done();
    }
}

/** One of them. */
export type LinkAction = (typeof linkActions)[number];

/** What flows and operators want of the link. */
export interface LinkCondition {
    /** A connection is to be there. */
    readonly isWanted: boolean;
    /** No events are to be sent. */
    readonly isPaused: boolean;
}

/** What the control acts on. */
export interface LinkControlDeps {
    /** Whether the gateway connects without being asked. */
    readonly isWanted: boolean;
    readonly connection: { readonly state: ConnectionState };
    /** Opens the connection and keeps it open. */
    open(): void;
    /** Ends the connection when what is in flight is acknowledged; it is `closed` then. May do so before this returns. */
    end(): void;
    paused(): void;
    resumed(): void;
    /** What is wanted has changed. */
    changed(): void;
}

const nobody: CompletionCallbacks = { done() {}, failed() {} };

function enqueue(waiting: CompletionCallbacks[], completion: CompletionCallbacks): void {
    if (waiting.length < maxWaiting) waiting.push(completion);
    else completion.failed(notConnected(translate("gateway.requestsWait", { count: maxWaiting })));
}

function notConnected(text: string): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", text);
}
