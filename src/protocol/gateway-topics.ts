import { GatewayError } from "../errors";
import { shortened, type TextKey, translate } from "../i18n";
import { type IdName, type IdRule, idNames, isLegalId, ownLevelRule, platformRules } from "./id-rules";
import { type DeviceAddress, deviceKey, type GatewayIdentity } from "./identity";
import { findLongLevel, OwnTopics, type TopicFault, type TopicOptions } from "./own-topics";
import { type CommandTopic, commandFilter, eventTopic, notifyTopic, parseCommandTopic } from "./topic";
import { templateNames } from "./topic-template";

/** The topics of one gateway, and what they demand of ids. */
export interface GatewayTopics {
    /** Whether the user chose the topics: then the server is no platform, so it manages no devices and reports no refusals. */
    readonly areOwn: boolean;
    /** Where the server reports what it refused, if it does. */
    readonly notifyTopic: string | undefined;
    /** The rules of ids. */
    readonly rules: Readonly<Record<IdName, IdRule>>;
    /** What the topics of events name. */
    readonly eventNames: ReadonlySet<IdName>;
    /** What the topics of commands name. */
    readonly commandNames: ReadonlySet<IdName>;
    /** The ids by which commands name the gateway itself. */
    readonly gatewayParts: Partial<DeviceAddress>;

    /** The topic of an event with legal ids. */
    eventTopic(device: DeviceAddress, eventId: string, format: string): string;

    /** The filter for commands with these parts; an absent one matches any value. Parts that topics do not name are ignored. */
    commandFilter(parts: Partial<CommandTopic>): string;

    /** The parts of a command topic, given by its levels, or undefined when it is none. */
    parseCommand(levels: readonly string[]): CommandTopic | undefined;
}

/** The type of devices whose topics name none. */
export const unnamedTypeId = "device";

/**
 * The topics of a gateway.
 * @throws GW_CONFIG when a template is not valid, or an event could come back as a command
 */
export function gatewayTopics(options: TopicOptions): GatewayTopics {
    if (options.eventTopic === "" && options.commandTopic === "") return new PlatformTopics(options.identity);
    const topics = OwnTopics.parse(options);
    if (topics instanceof OwnTopics) return topics;
    throw new GatewayError("GW_CONFIG", describeFault(topics));
}

/**
 * Legal ids can add up to a level of an own topic that is too long.
 * @throws GW_INVALID_ID
 */
export function assertLevelsFit(topic: string): void {
    const level = findLongLevel(topic);
    if (level === undefined) return;
    const { maxBytes } = ownLevelRule;
    throw new GatewayError(
        "GW_INVALID_ID",
        translate("protocol.levelTooLong", { name: "eventTopic", bytes: Buffer.byteLength(level), maxLevelBytes: maxBytes }),
    );
}

/** The device that a command is for, or undefined when its ids are not legal: no device has others. */
export function deviceOfCommand({ rules }: GatewayTopics, { typeId = unnamedTypeId, deviceId }: CommandTopic): string | undefined {
    return isLegalId(typeId, rules.typeId) && isLegalId(deviceId, rules.deviceId) ? deviceKey({ typeId, deviceId }) : undefined;
}

/** The only device that a filter for commands names, or undefined when it names none or several. */
export function deviceOfFilter(topics: GatewayTopics, filter: string): string | undefined {
    const parts = topics.parseCommand(filter.split("/"));
    return parts && deviceOfCommand(topics, parts);
}

const allNames: ReadonlySet<IdName> = new Set(idNames);

/** What the topics of the platform name, and its rules. */
export const platformNaming = { rules: platformRules, eventNames: allNames, commandNames: allNames } as const;

/** The topics of Watson IoT and Maximo. Protocol, section Events. */
class PlatformTopics implements GatewayTopics {
    readonly areOwn = false;
    readonly notifyTopic: string;
    readonly rules = platformRules;
    readonly eventNames = allNames;
    readonly commandNames = allNames;
    readonly gatewayParts: DeviceAddress;
    readonly eventTopic = eventTopic;
    readonly commandFilter = commandFilter;
    readonly parseCommand = parseCommandTopic;

    constructor({ typeId, deviceId }: GatewayIdentity) {
        this.gatewayParts = { typeId, deviceId };
        this.notifyTopic = notifyTopic(this.gatewayParts);
    }
}

const faultTexts = {
    unknownName: "option.topicUnknownName",
    missingName: "option.topicMissingName",
    partialLevel: "option.topicPartialLevel",
    badLevel: "option.topicBadLevel",
} as const satisfies Partial<Record<TopicFault["fault"], TextKey>>;

const maxShownCharacters = 80;

function describeFault(fault: TopicFault): string {
    if (fault.fault === "overlap") return translate("option.topicOverlap", { filter: fault.filter, topic: fault.topic });
    const { kind, value } = fault;
    const parameters = { property: `${kind}Topic`, value: shortened(value, maxShownCharacters), names: templateNames(kind) };
    return translate(faultTexts[fault.fault], parameters);
}
