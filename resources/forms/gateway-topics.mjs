// The topics of a gateway, and what they demand of ids, for checks and previews: by the code of the runtime.

import { patterns } from "./generated.mjs";
import { idNames, idRule, isLegalId, platformRules, replaceId } from "./id-rules.mjs";
import { OwnTopics } from "./own-topics.mjs";
import { platformTemplates } from "./topic-template.mjs";

const unknown = "…";

/** The topics of a gateway with these settings, and what is wrong with them. What is not known yet shows as `…`. */
export function topicsOf(settings = {}) {
    const { platform, orgId, typeId, deviceId } = settings;
    const isBroker = platform === "broker";
    const eventTopic = isBroker ? withoutVariables("event", settings.eventTopic) : "";
    const commandTopic = isBroker ? withoutVariables("command", settings.commandTopic) : "";
    const areOwn = eventTopic !== "" || commandTopic !== "";
    const identity = { orgId: shownId(orgId), typeId: shownId(typeId), deviceId: shownId(deviceId) };
    const parsed = OwnTopics.parse({ identity, eventTopic, commandTopic });
    const topics = parsed instanceof OwnTopics ? parsed : undefined;
    const { rules, eventNames, commandNames } = (areOwn && topics) || platformNaming;
    const replaces = settings.idRule === "replace";
    return { areOwn, identity, topics, fault: topics ? undefined : parsed, rules, eventNames, commandNames, replaces };
}

const platformNaming = { rules: platformRules, eventNames: new Set(idNames), commandNames: new Set(idNames) };

/** An id as the topics of a gateway have it. */
export function replacedId(settings, name, id) {
    const { rules, replaces } = topicsOf(settings);
    return replaces && id ? replaceId(id, rules[name]) : id;
}

/** The topic of an event. */
export function shownEvent(settings, { eventId, format, ...device }) {
    const { topics } = topicsOf(settings);
    return topics ? topics.eventTopic(device, eventId, format) : unknown;
}

/** The filter for commands with these parts; a blank one stands for any. */
export function shownCommands(settings, parts) {
    const { topics, commandNames } = topicsOf(settings);
    const given = Object.entries(parts).filter(([name, value]) => commandNames.has(name) && value && value !== "+");
    const ids = given.map(([name, value]) => [name, name === "format" ? value : replacedId(settings, name, String(value))]);
    return topics ? topics.commandFilter(Object.fromEntries(ids)) : unknown;
}

/** A template is judged as if its variables were text, as their values are known only when the flow runs. */
function withoutVariables(kind, template) {
    const text = String(template ?? "");
    if (!patterns.variable.test(text)) return text;
    const filled = text.replace(/^\$\(\S+\)$|\$\{[^{}\s]+\}/g, unknown);
    // A variable that stands for the whole template can be anything.
    return filled === unknown ? platformTemplates[kind] : filled;
}

function shownId(id) {
    return isLegalId(String(id ?? ""), idRule) ? String(id) : unknown;
}
