import type { NodeMessage } from "node-red";
import { type GatewayError, toGatewayError } from "../errors";
import type { CommandSelection, ReceivedCommand } from "../gateway/inbound/message-router";
import { type CommandDatatype, commandDatatypes, decodeCommandPayload } from "../protocol/command-payload";
import type { IdParser } from "../protocol/id-parser";
import { parseQos, type Qos } from "../protocol/qos";
import type { CommandTopic } from "../protocol/topic";
import { choiceOption, type PropertyRules, textOption } from "../settings";
import type { StoredDefinition } from "./api";

/** The properties of a `device-command-in` node, checked. */
export interface CommandSettings {
    readonly selection: CommandSelection;
    readonly qos: Qos;
    readonly datatype: CommandDatatype;
}

/** The rules of the properties of a `device-command-in` node. */
export const commandRules = {
    target: { choices: ["device", "gateway"], fallback: "device" },
    qos: { choices: ["0", "1", "2"], fallback: "1" },
    datatype: { choices: commandDatatypes, fallback: "auto" },
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
    return {
        selection: { target, parts: { ...address, ...part("commandId"), ...part("format") } },
        qos: parseQos(textOption(definition, "qos") || commandRules.qos.fallback),
        datatype: choiceOption(definition, "datatype", commandRules.datatype),
    };
}

/**
 * A command as the message a flow gets. One that is too large or does not fit its format comes with `GW_BAD_COMMAND` and the bytes as
 * payload, for a Catch node.
 */
export function commandMessage(command: ReceivedCommand, datatype: CommandDatatype): { message: NodeMessage; error?: GatewayError } {
    const { topic, typeId, deviceId, commandId, format, qos, duplicate } = command;
    const message: NodeMessage = { topic, typeId, deviceId, commandId, format, qos, duplicate };
    if (typeId === undefined) delete message.typeId;
    if (format === undefined) delete message.format;
    if (command.error) {
        message.payload = Buffer.from(command.payload);
        return { message, error: command.error };
    }
    try {
        message.payload = decodeCommandPayload(command.payload, format, datatype);
        return { message };
    } catch (thrown) {
        message.payload = Buffer.from(command.payload);
        return { message, error: toGatewayError(thrown, "GW_BAD_COMMAND") };
    }
}
