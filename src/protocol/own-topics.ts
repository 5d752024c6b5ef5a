// The forms run this file in the browser, so it imports only what runs there too.
import { type IdName, type IdRule, idNames, isLongerThan, ownFirstLevelRule, ownLevelRule } from "./id-rules";
import type { DeviceAddress, GatewayIdentity } from "./identity";
import type { CommandTopic } from "./topic";
import { type TemplateFault, type TemplateKind, TopicTemplate } from "./topic-template";

/** Topics from the user's templates. */
export class OwnTopics {
    readonly areOwn = true;
    readonly notifyTopic = undefined;
    readonly rules: Readonly<Record<IdName, IdRule>>;
    readonly eventNames: ReadonlySet<IdName>;
    readonly commandNames: ReadonlySet<IdName>;
    readonly gatewayParts: Partial<DeviceAddress>;
    readonly #events: TopicTemplate;
    readonly #commands: TopicTemplate;

    private constructor({ typeId, deviceId }: DeviceAddress, events: TopicTemplate, commands: TopicTemplate) {
        const ruleOf = (name: IdName) => (events.beginsWith(name) || commands.beginsWith(name) ? ownFirstLevelRule : ownLevelRule);
        this.rules = {
            typeId: ruleOf("typeId"),
            deviceId: ruleOf("deviceId"),
            eventId: ruleOf("eventId"),
            commandId: ruleOf("commandId"),
            format: ruleOf("format"),
        };
        this.eventNames = new Set(idNames.filter((name) => events.names(name)));
        this.commandNames = new Set(idNames.filter((name) => commands.names(name)));
        this.gatewayParts = this.commandNames.has("typeId") ? { typeId, deviceId } : { deviceId };
        this.#events = events;
        this.#commands = commands;
    }

    /** The topics of these templates, or what is wrong with them. */
    static parse({ identity, eventTopic, commandTopic }: TopicOptions): OwnTopics | TopicFault {
        const gateway = { orgId: identity.orgId, gatewayTypeId: identity.typeId, gatewayId: identity.deviceId };
        const events = TopicTemplate.parse("event", eventTopic, gateway);
        if (!(events instanceof TopicTemplate)) return { ...events, kind: "event" };
        const commands = TopicTemplate.parse("command", commandTopic, gateway);
        if (!(commands instanceof TopicTemplate)) return { ...commands, kind: "command" };
        const topic = events.topicMatchedBy(commands, exampleValues);
        if (topic !== undefined) return { fault: "overlap", filter: commands.filter({}), topic };
        return new OwnTopics(identity, events, commands);
    }

    eventTopic({ typeId, deviceId }: DeviceAddress, eventId: string, format: string): string {
        return this.#events.topic({ typeId, deviceId, eventId, format });
    }

    commandFilter(parts: Partial<CommandTopic>): string {
        return this.#commands.filter(parts);
    }

    parseCommand(levels: readonly string[]): CommandTopic | undefined {
        const { typeId, deviceId, commandId, format } = this.#commands.parse(levels) ?? {};
        if (deviceId === undefined || commandId === undefined) return undefined;
        return { ...(typeId !== undefined && { typeId }), deviceId, commandId, ...(format !== undefined && { format }) };
    }
}

/** What the topics of a gateway are made of; a blank template stands for the platform's topics. */
export interface TopicOptions {
    readonly identity: GatewayIdentity;
    readonly eventTopic: string;
    readonly commandTopic: string;
}

/** What is wrong with the templates: one of them is not valid, or an event could come back as a command. */
export type TopicFault =
    | (TemplateFault & { readonly kind: TemplateKind })
    | { readonly fault: "overlap"; readonly filter: string; readonly topic: string };

/** The first level of a topic that is too long: where a name is a part of a level, legal ids can add up to that. */
export function findLongLevel(topic: string): string | undefined {
    const { maxBytes } = ownLevelRule;
    if (!isLongerThan(topic, maxBytes)) return undefined;
    return topic.split("/").find((level) => isLongerThan(level, maxBytes));
}

/** The ids of the topic that shows how an event could come back. */
const exampleValues = { typeId: "pump", deviceId: "pump-7", eventId: "status", format: "json" };
