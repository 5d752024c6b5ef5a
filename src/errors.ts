import { shortened, translate } from "./i18n";

/**
 * Every error code this package raises, with what it means. The codes are part of the contract: flows switch on
 * `msg.error.code` behind a Catch node. The table in docs/troubleshooting.md is asserted to hold the same rows.
 */
export const errorTable = {
    GW_INVALID_ID: { scope: "message", meaning: "An id, event name or other topic level breaks the rules" },
    GW_INVALID_PAYLOAD: { scope: "message", meaning: "The payload cannot be encoded in the chosen format" },
    GW_PAYLOAD_TOO_LARGE: { scope: "message", meaning: "The payload exceeds the platform's limit of 131072 bytes" },
    GW_INVALID_QOS: { scope: "message", meaning: "The QoS is not 0, 1 or 2" },
    GW_INVALID_PRIORITY: { scope: "message", meaning: "The priority is not high, normal or low" },
    GW_NOT_CONNECTED: { scope: "message", meaning: "There is no connection and the message may not be queued" },
    GW_OUTBOX_FULL: { scope: "message", meaning: "The outbox has reached one of its limits" },
    GW_EXPIRED: { scope: "message", meaning: "The event outlived its time to live, or an operator ended it, before it could be delivered" },
    GW_REFUSED: { scope: "message", meaning: "The platform refused the event and reported this in a notification" },
    GW_UNDELIVERABLE: { scope: "message", meaning: "The server closed the connection each time the event was sent, so it was given up" },
    GW_DEVICE_HELD: {
        scope: "message",
        meaning: "The device is held after a failed registration, or is being checked after a reconnect, and the message may not be queued",
    },
    GW_BAD_COMMAND: {
        scope: "message",
        meaning: "A command is too large or does not fit its format, or a message sent back belongs to no command in work",
    },
    GW_STALE_COMMAND: {
        scope: "message",
        meaning: "A command may be old: it waited at the platform, or is retained, and the node refuses such",
    },
    GW_COMMAND_TIMEOUT: { scope: "message", meaning: "The flow did not send a command back in time" },
    GW_SUBSCRIBE_REFUSED: { scope: "message", meaning: "The platform rejected the node's subscription" },
    GW_DM_TIMEOUT: { scope: "message", meaning: "The platform, or the flow, did not answer a device management request in time" },
    GW_DM_INVALID: { scope: "message", meaning: "A device management message breaks the rules" },
    GW_DM_REJECTED: { scope: "message", meaning: "The platform rejected an automatic manage request" },
    GW_CONFIG: { scope: "gateway", meaning: "The configuration of the gateway, or of the node, is not valid" },
    GW_AUTH: { scope: "gateway", state: "not-authorised", meaning: "The platform did not authorise the connection" },
    GW_TLS: { scope: "gateway", state: "tls", meaning: "The TLS connection could not be established or verified" },
    GW_NETWORK: { scope: "gateway", state: "network", meaning: "The host could not be reached or the connection was lost" },
    GW_TAKEN_OVER: { scope: "gateway", state: "taken-over", meaning: "Another client seems to use the same client id" },
    GW_STALLED: { scope: "gateway", state: "stalled", meaning: "The connection was open but nothing moved on it" },
    GW_STORE: { scope: "gateway", meaning: "The outbox file cannot be used" },
} as const satisfies Record<string, ErrorRow>;

/** The connection states of the table, by code; see `ErrorRow.state`. */
export const connectionStates: Readonly<Partial<Record<ErrorCode, string>>> = Object.fromEntries(
    Object.entries<ErrorRow>(errorTable).flatMap(([code, { state }]) => (state === undefined ? [] : [[code, state]])),
);

/**
 * The only error this package raises. The message says in plain words what happened, the value, the rule and what to do.
 * `code` is stable; the message is not.
 */
export class GatewayError extends Error {
    /** `instanceof` is safe for whatever was thrown, also for a revoked proxy. */
    static override [Symbol.hasInstance](value: unknown): value is GatewayError {
        return isInstance(GatewayError, value);
    }

    override readonly name = "GatewayError";
    readonly code: ErrorCode;
    declare readonly rc?: number;
    declare readonly willRetry?: boolean;

    constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
        // Catch nodes get the cause, and Node-RED clones it: whatever else a flow may have thrown stays here.
        super(message, isInstance(Error, details.cause) ? { cause: details.cause } : undefined);
        this.code = code;
        if (details.rc !== undefined) this.rc = details.rc;
        if (details.willRetry !== undefined) this.willRetry = details.willRetry;
    }

    /** An error of one of thousands of events: without a stack, which would say nothing and cost more than all the rest. */
    static ofEvent(code: ErrorCode, message: string, details: ErrorDetails = {}): GatewayError {
        const { stackTraceLimit } = Error;
        Error.stackTraceLimit = 0;
        try {
            return new GatewayError(code, message, details);
        } finally {
            Error.stackTraceLimit = stackTraceLimit;
        }
    }

    /** With the code: this is what Node-RED logs, and all that Node-RED 4.0 hands to Catch nodes. */
    override toString(): string {
        return `${this.name} [${this.code}]: ${this.message}`;
    }
}

/** Whether a code speaks of one message or of the gateway's state. */
export type ErrorScope = "message" | "gateway";

/** One of the stable codes of the table. */
export type ErrorCode = keyof typeof errorTable;

/** A row of the table. */
interface ErrorRow {
    readonly scope: ErrorScope;
    /** Why there is no connection, in one word: `msg.state` behind a Catch node, and the label of the metric that counts reconnects. */
    readonly state?: string;
    readonly meaning: string;
}

/** What an error may carry beside its message; all of it may be shown, so never a secret. */
export interface ErrorDetails {
    /** The error that led to this one. */
    cause?: unknown;
    /** The platform's return code, where it gave one. */
    rc?: number;
    /** Whether the message is kept and will be tried again. */
    willRetry?: boolean;
}

/** Wraps anything that was thrown: a `GatewayError` stays itself, the rest becomes one with the given code. */
export function toGatewayError(thrown: unknown, code: ErrorCode): GatewayError {
    if (thrown instanceof GatewayError) return thrown;
    return new GatewayError(code, describeThrown(thrown), { cause: thrown });
}

const shownCharacters = 1000;

/** The words of anything that was thrown, cut to what a log can take; never throws itself, whatever getters the value has. */
export function describeThrown(thrown: unknown): string {
    try {
        // Some libraries throw plain objects with a message.
        const message: unknown = Reflect.get(Object(thrown), "message");
        return shortened(String(thrown instanceof Error || typeof message === "string" ? message : thrown), shownCharacters);
    } catch {
        return translate("value.undescribed");
    }
}

function isInstance(type: abstract new (...args: never[]) => unknown, value: unknown): boolean {
    try {
        return Function.prototype[Symbol.hasInstance].call(type, value);
    } catch {
        return false;
    }
}
