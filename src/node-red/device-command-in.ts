import type { NodeMessage } from "node-red";
import { GatewayError, toGatewayError } from "../errors";
import type { GatewayState } from "../gateway/gateway-state";
import { type CommandReference, type CommandSelection, deviceOf, oversizedCommand, type ReceivedCommand } from "../gateway/inbound/command";
import { commandIdPlace, type FlowAnswer } from "../gateway/inbound/command-answer";
import { translate } from "../i18n";
import { type CommandDatatype, commandDatatypes, decodeCommandPayload } from "../protocol/command-payload";
import type { IdParser } from "../protocol/id-parser";
import { membersOf } from "../protocol/json";
import { parseQos, type Qos } from "../protocol/qos";
import type { CommandTopic } from "../protocol/topic";
import { choiceOption, numberOption, type PropertyRules, textOption } from "../settings";
import { properties, type StoredDefinition } from "./api";
import { gatewayStatus } from "./gateway-status";
import type { StatusText } from "./status-reporter";

/** The rules of the properties of a `device-command-in` node. */
export const commandRules = {
    target: { choices: ["device", "gateway"], fallback: "device" },
    qos: { choices: ["0", "1", "2"], fallback: "1" },
    datatype: { choices: commandDatatypes, fallback: "auto" },
    replayed: { choices: ["pass", "refuse"], fallback: "pass" },
    acknowledge: { choices: ["received", "flow"], fallback: "received" },
    timeout: { fallback: 60, min: 1, max: 3600 },
} as const satisfies PropertyRules;

/**
 * Reads the properties of a `device-command-in` node.
 * @throws GW_CONFIG, GW_INVALID_ID or GW_INVALID_QOS; a `#` or a partial wildcard is not an id
 */
export function parseCommandSettings(definition: StoredDefinition, ids: IdParser): CommandSettings {
    const target = choiceOption(definition, "target", commandRules.target);
    const part = (name: keyof CommandTopic) => {
        const value = textOption(definition, name);
        return value === "" || value === "+" ? {} : { [name]: ids.ofCommand(name, value) };
    };
    const address = target === "gateway" ? {} : { ...part("typeId"), ...part("deviceId") };
    const isForFlow = choiceOption(definition, "acknowledge", commandRules.acknowledge) === "flow";
    return {
        selection: { target, parts: { ...address, ...part("commandId"), ...part("format") } },
        qos: parseQos(textOption(definition, "qos") || commandRules.qos.fallback),
        datatype: choiceOption(definition, "datatype", commandRules.datatype),
        refusesReplayed: choiceOption(definition, "replayed", commandRules.replayed) === "refuse",
        timeoutMs: isForFlow ? numberOption(definition, "timeout", commandRules.timeout) * 1000 : undefined,
        answer: isForFlow ? answerOption(definition, ids) : "",
    };
}

/** The properties of a `device-command-in` node, checked. */
export interface CommandSettings {
    readonly selection: CommandSelection;
    readonly qos: Qos;
    readonly datatype: CommandDatatype;
    /** Commands that may be old go to Catch nodes instead. */
    readonly refusesReplayed: boolean;
    /** How long the flow has to send a command back; undefined = it is acknowledged once it was handed over. */
    readonly timeoutMs: number | undefined;
    /** The event id of the answer, with a place for the command id; empty = no answer is published. */
    readonly answer: string;
}

function answerOption(definition: StoredDefinition, ids: IdParser): string {
    const answer = textOption(definition, "answer");
    if (answer !== "") ids.parse("eventId", answer.replaceAll(commandIdPlace, "c"), "answer");
    return answer;
}

/**
 * A command as the message a flow gets. One that a Catch node gets instead comes with its error: `GW_BAD_COMMAND` when it is too large or
 * does not fit its format, then with the bytes as payload; `GW_STALE_COMMAND` when it may be old and the node refuses such.
 */
export function commandMessage(
    command: ReceivedCommand,
    nodeId: string,
    settings: CommandSettings,
): { message: NodeMessage; error?: GatewayError } {
    const { topic, typeId, deviceId, commandId, format, qos, duplicate, isReplayed, retain } = command;
    const message: NodeMessage = {
        topic,
        ...(typeId !== undefined && { typeId }),
        deviceId,
        commandId,
        ...(format !== undefined && { format }),
        qos,
        duplicate,
        receivedAt: isoTime(command.receivedAt),
        command: { id: command.id, nodeId },
    };
    if (isReplayed) message.replayed = true;
    if (retain) message.retain = true;
    try {
        if (command.oversizedBytes !== undefined) throw oversizedCommand(command.oversizedBytes);
        message.payload = decodeCommandPayload(command.payload, format, settings.datatype);
    } catch (thrown) {
        message.payload = Buffer.from(command.payload);
        return { message, error: toGatewayError(thrown, "GW_BAD_COMMAND") };
    }
    return settings.refusesReplayed && isReplayed ? { message, error: staleCommand(command) } : { message };
}

/** Why a command is acknowledged that the flow has not sent back. */
export function overdueCommand(command: ReceivedCommand, { timeoutMs = 0 }: CommandSettings): GatewayError {
    const { commandId } = command;
    return new GatewayError(
        "GW_COMMAND_TIMEOUT",
        translate("command.timedOut", { commandId, device: deviceOf(command), seconds: timeoutMs / 1000 }),
    );
}

/**
 * The command that a message belongs to which the flow has sent back, and the answer that is to be published for it.
 * @throws GW_BAD_COMMAND when it belongs to none, or the node waits for none
 */
export function returnedCommand(
    settings: CommandSettings,
    message: NodeMessage,
): { reference: CommandReference; answer: FlowAnswer | undefined } {
    if (settings.timeoutMs === undefined) throw new GatewayError("GW_BAD_COMMAND", translate("command.notAwaited"));
    const { command, payload, rc, message: text, _msgid } = properties(message);
    const { id, nodeId } = membersOf(command);
    if (typeof id !== "string" || typeof nodeId !== "string") {
        throw new GatewayError("GW_BAD_COMMAND", translate("command.noReference"));
    }
    const reference = { id, nodeId };
    if (settings.answer === "") return { reference, answer: undefined };
    const messageId = typeof _msgid === "string" ? _msgid : "";
    return { reference, answer: { eventId: settings.answer, rc, message: text, payload, messageId } };
}

/** The status of a device-command-in: that of its gateway, and when it is connected how many commands its flow has in work. */
export function commandStatus(state: GatewayState | GatewayError, inWork: number): StatusText {
    const ofGateway = gatewayStatus(state);
    if (state instanceof GatewayError || inWork === 0 || ofGateway.key !== "connected") return ofGateway;
    return { fill: "blue", shape: "dot", key: "inWork", parameters: { count: inWork } };
}

let lastTime = { ms: 0, iso: "" };

/** ISO 8601. Many commands come in one millisecond, and most of the cost is that of writing the time. */
function isoTime(ms: number): string {
    if (lastTime.ms !== ms) lastTime = { ms, iso: new Date(ms).toISOString() };
    return lastTime.iso;
}

function staleCommand(command: ReceivedCommand): GatewayError {
    const { commandId } = command;
    const device = deviceOf(command);
    const text = command.retain ? translate("command.retained", { commandId, device }) : translate("command.stale", { commandId, device });
    return new GatewayError("GW_STALE_COMMAND", text);
}
