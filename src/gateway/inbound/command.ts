import type { GatewayError } from "../../errors";
import type { Qos } from "../../protocol/qos";
import type { CommandTopic } from "../../protocol/topic";

/** A command as it came from the platform. */
export interface ReceivedCommand extends CommandTopic {
    /** Unique, also over restarts. A command that the platform sends again has another one, unless it is still in work. */
    readonly id: string;
    readonly topic: string;
    readonly payload: Buffer;
    readonly qos: Qos;
    /** The platform, or the gateway after a deploy, may have handed it over before. */
    readonly duplicate: boolean;
    readonly retain: boolean;
    /** It waited in a durable session while the gateway was away, or is retained: it may be old. Best effort. */
    readonly isReplayed: boolean;
    /** Wall clock, milliseconds. */
    readonly receivedAt: number;
}

/** A node that takes commands. Nothing of this may throw. */
export interface CommandTaker {
    readonly nodeId: string;
    /** How long the flow has to send a command back to the node; absent = it is acknowledged once it was handed over. */
    readonly timeoutMs?: number | undefined;
    /** Takes a command. Returns what became of it: only one that was passed to the flow can be sent back. */
    received(command: ReceivedCommand): "passed" | "stale" | "bad";
    /** The flow did not send the command back in time, and it is acknowledged all the same. */
    timedOut(command: ReceivedCommand): void;
}

/** A node that takes commands, and wants to know whether it may. */
export interface CommandListener extends CommandTaker {
    /** The platform refused the subscription; undefined = it grants it now. */
    rejectionChanged(error: GatewayError | undefined): void;
}

/** Names a command, and the node that it was handed to: what a flow sends back. */
export interface CommandReference {
    readonly id: string;
    readonly nodeId: string;
}

/**
 * How a command ended: `received` = handed over, and nothing else was asked for; `answered` = the flow sent it back; `timeout` = it did
 * not, or one of several nodes did not; `stale` and `bad` = it went to Catch nodes instead; `unclaimed` = no node took it.
 */
export type CommandOutcome = (typeof commandOutcomes)[number];

/** From the one that the others hide to the one that hides all others, where several nodes take a command. */
export const commandOutcomes = ["unclaimed", "received", "answered", "stale", "bad", "timeout"] as const;
