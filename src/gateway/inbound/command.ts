import { maxPacketBytes } from "../../connection/link";
import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { Qos } from "../../protocol/qos";
import type { CommandTopic } from "../../protocol/topic";

/** A command as it came from the platform. */
export interface ReceivedCommand extends CommandTopic {
    /** Unique, also over restarts. A command that the platform sends again has another one, unless it is still in work. */
    readonly id: string;
    readonly topic: string;
    /** The levels of the topic, split once for parsing and routing: that saves 17 % of the cost of routing a command. */
    readonly levels: readonly string[];
    readonly payload: Buffer;
    readonly qos: Qos;
    /** The platform, or the gateway after a deploy, may have handed it over before. */
    readonly duplicate: boolean;
    readonly retain: boolean;
    /** It waited in a durable session while the gateway was away, or is retained: it may be old. Best effort. */
    readonly isReplayed: boolean;
    /** Wall clock, milliseconds. */
    readonly receivedAt: number;
    /** Present when the command was larger than the gateway takes: its size. Then the payload is empty. */
    readonly oversizedBytes?: number | undefined;
}

/** The commands that a node wants; an absent part matches any value. */
export interface CommandSelection {
    /** `gateway` = the gateway's own commands; `device` = by the parts, never the gateway's own unless all ids name it. */
    readonly target: "gateway" | "device";
    readonly parts: Partial<CommandTopic>;
}

/** A node that takes commands. Nothing of this may throw. */
export interface CommandTaker {
    readonly nodeId: string;
    readonly selection: CommandSelection;
    /** How long the flow has to send a command back to the node; absent = it is acknowledged once it was handed over. */
    readonly timeoutMs?: number | undefined;
    /** Takes a command. Returns what became of it: only one that was passed to the flow can be sent back. */
    received(command: ReceivedCommand): "passed" | "stale" | "bad";
    /** The flow did not send the command back in time, and it is acknowledged all the same. */
    timedOut?(command: ReceivedCommand): void;
}

/** A node that subscribes to commands. */
export interface CommandSubscriber extends CommandTaker {
    /** The highest quality of service that the server may use. */
    readonly qos: Qos;
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

/** What is wrong with a command that was larger than the gateway takes. */
export function oversizedCommand(bytes: number): GatewayError {
    return new GatewayError("GW_BAD_COMMAND", translate("protocol.commandTooLarge", { bytes, limit: maxPacketBytes }));
}

/** The device of a command as text. On own topics its type may be unknown. */
export function deviceOf({ typeId, deviceId }: Pick<CommandTopic, "typeId" | "deviceId">): string {
    return typeId === undefined ? deviceId : `${typeId}/${deviceId}`;
}

/** How many commands there are, and where. */
export interface CommandsState {
    /** In the flow, or being answered. */
    readonly inWork: number;
    /** Waiting for the flow, in memory. */
    readonly waiting: number;
    /** The limit of waiting commands is reached, so nothing more is read from the server. */
    readonly isReadingHeld: boolean;
}
