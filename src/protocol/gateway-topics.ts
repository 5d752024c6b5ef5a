import { GatewayError } from "../errors";
import { shortened, type TextKey, translate } from "../i18n";
import { type IdRule, idRule, isLegalId, levelRule, ownFirstLevelRule, ownLevelRule } from "./id-rules";
import { type DeviceAddress, deviceKey, type GatewayIdentity } from "./identity";
import { type CommandTopic, commandFilter, eventTopic, notifyTopic, parseCommandTopic } from "./topic";
import { type TemplateFault, type TemplateGateway, type TemplateKind, TopicTemplate, templateNames } from "./topic-template";

/** What flows give of a topic. */
export type IdName = "typeId" | "deviceId" | "eventId" | "commandId" | "format";

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

    /**
     * The topic of an event with legal ids.
     * @throws GW_INVALID_ID when they make one level too long
     */
    eventTopic(device: DeviceAddress, eventId: string, format: string): string;

    /** The filter for commands with these parts; an absent one matches any value. Parts that topics do not name are ignored. */
    commandFilter(parts: Partial<CommandTopic>): string;

    /** The parts of a command topic, given by its levels, or undefined when it is none. */
    parseCommand(levels: readonly string[]): CommandTopic | undefined;

    /** The device that a command is for, or undefined when its ids are not legal: no device has others. */
    deviceOf(command: CommandTopic): string | undefined;

    /** The only device that a filter for commands names, or undefined when it names none or several. */
    deviceOfFilter(filter: string): string | undefined;
}

/** The type of devices whose topics name none. */
export const unnamedTypeId = "device";

/** What the topics of a gateway are made of; a blank template stands for the platform's topics. */
export interface TopicOptions {
    readonly identity: GatewayIdentity;
    readonly eventTopic: string;
    readonly commandTopic: string;
}

/**
 * The topics of a gateway.
 * @throws GW_CONFIG when a template is not valid, or an event could come back as a command
 */
export function gatewayTopics(options: TopicOptions): GatewayTopics {
    const areOwn = options.eventTopic !== "" || options.commandTopic !== "";
    return areOwn ? new OwnTopics(options) : new PlatformTopics(options.identity);
}

const idNames = ["typeId", "deviceId", "eventId", "commandId", "format"] as const satisfies IdName[];

/** What the topics of the platform name, and the rules of it. */
export const platformNaming = {
    rules: { typeId: idRule, deviceId: idRule, eventId: levelRule, commandId: levelRule, format: levelRule },
    eventNames: new Set<IdName>(idNames),
    commandNames: new Set<IdName>(idNames),
} as const;

/** The topics of Watson IoT and Maximo. Protocol, section Events. */
class PlatformTopics implements GatewayTopics {
    readonly areOwn = false;
    readonly notifyTopic: string;
    readonly rules = platformNaming.rules;
    readonly eventNames = platformNaming.eventNames;
    readonly commandNames = platformNaming.commandNames;
    readonly gatewayParts: DeviceAddress;
    readonly eventTopic = eventTopic;
    readonly commandFilter = commandFilter;
    readonly parseCommand = parseCommandTopic;

    constructor({ typeId, deviceId }: GatewayIdentity) {
        this.gatewayParts = { typeId, deviceId };
        this.notifyTopic = notifyTopic(this.gatewayParts);
    }

    deviceOf(command: CommandTopic): string | undefined {
        return legalKey(command, this.rules);
    }

    deviceOfFilter(filter: string): string | undefined {
        const parts = parseCommandTopic(filter.split("/"));
        return parts && this.deviceOf(parts);
    }
}

/** Topics from the user's templates. */
class OwnTopics implements GatewayTopics {
    readonly areOwn = true;
    readonly notifyTopic = undefined;
    readonly rules: Readonly<Record<IdName, IdRule>>;
    readonly eventNames: ReadonlySet<IdName>;
    readonly commandNames: ReadonlySet<IdName>;
    readonly gatewayParts: Partial<DeviceAddress>;
    readonly #events: TopicTemplate;
    readonly #commands: TopicTemplate;

    constructor(options: TopicOptions) {
        const { orgId, typeId, deviceId } = options.identity;
        const gateway = { orgId, gatewayTypeId: typeId, gatewayId: deviceId };
        this.#events = parseTemplate("event", options.eventTopic, gateway);
        this.#commands = parseTemplate("command", options.commandTopic, gateway);
        const example = this.#events.topicMatchedBy(this.#commands, exampleValues);
        if (example !== undefined) {
            throw new GatewayError("GW_CONFIG", translate("option.topicOverlap", { filter: this.#commands.filter({}), topic: example }));
        }
        this.rules = {
            typeId: this.#ruleOf("typeId"),
            deviceId: this.#ruleOf("deviceId"),
            eventId: this.#ruleOf("eventId"),
            commandId: this.#ruleOf("commandId"),
            format: this.#ruleOf("format"),
        };
        this.eventNames = new Set(idNames.filter((name) => this.#events.names(name)));
        this.commandNames = new Set(idNames.filter((name) => this.#commands.names(name)));
        this.gatewayParts = this.#commands.names("typeId") ? { typeId, deviceId } : { deviceId };
    }

    eventTopic({ typeId, deviceId }: DeviceAddress, eventId: string, format: string): string {
        const values = { typeId, deviceId, eventId, format };
        const level = this.#events.tooLongLevel(values);
        if (level === undefined) return this.#events.topic(values);
        const { maxBytes } = ownLevelRule;
        const text = translate("protocol.levelTooLong", { name: "eventTopic", bytes: Buffer.byteLength(level), maxLevelBytes: maxBytes });
        throw new GatewayError("GW_INVALID_ID", text);
    }

    commandFilter(parts: Partial<CommandTopic>): string {
        return this.#commands.filter(parts);
    }

    parseCommand(levels: readonly string[]): CommandTopic | undefined {
        const { typeId, deviceId, commandId, format } = this.#commands.parse(levels) ?? {};
        if (deviceId === undefined || commandId === undefined) return undefined;
        return { ...(typeId !== undefined && { typeId }), deviceId, commandId, ...(format !== undefined && { format }) };
    }

    deviceOf(command: CommandTopic): string | undefined {
        return legalKey(command, this.rules);
    }

    deviceOfFilter(filter: string): string | undefined {
        const parts = this.parseCommand(filter.split("/"));
        return parts && this.deviceOf(parts);
    }

    #ruleOf(name: IdName): IdRule {
        return this.#events.beginsWith(name) || this.#commands.beginsWith(name) ? ownFirstLevelRule : ownLevelRule;
    }
}

/** The ids of the topics that errors show. */
const exampleValues = { typeId: "pump", deviceId: "pump-7", eventId: "status", format: "json" };

const faultTexts = {
    unknownName: "option.topicUnknownName",
    missingName: "option.topicMissingName",
    partialLevel: "option.topicPartialLevel",
    badLevel: "option.topicBadLevel",
} as const satisfies Record<TemplateFault["fault"], TextKey>;

function parseTemplate(kind: TemplateKind, text: string, gateway: TemplateGateway): TopicTemplate {
    const template = TopicTemplate.parse(kind, text, gateway);
    if (template instanceof TopicTemplate) return template;
    const parameters = { property: `${kind}Topic`, value: shortened(template.value, 80), names: templateNames(kind) };
    throw new GatewayError("GW_CONFIG", translate(faultTexts[template.fault], parameters));
}

function legalKey({ typeId = unnamedTypeId, deviceId }: CommandTopic, rules: Readonly<Record<IdName, IdRule>>): string | undefined {
    return isLegalId(typeId, rules.typeId) && isLegalId(deviceId, rules.deviceId) ? deviceKey({ typeId, deviceId }) : undefined;
}
