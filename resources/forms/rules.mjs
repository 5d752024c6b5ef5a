// The checks of the forms, with reasons for the user. Bounds and patterns are those of the runtime, which has the last word.

import { current, selectedGateway, text } from "./fields.mjs";
import { topicsOf } from "./gateway-topics.mjs";
import { encryptedTransports, patterns, properties } from "./generated.mjs";
import { idRule, isLegalId, levelRule, mqttTextRule } from "./id-rules.mjs";
import { findLongLevel } from "./own-topics.mjs";
import { templateNames } from "./topic-template.mjs";

/** Whether a value refers to variables, as `${NAME}` does: it can be judged only when their values are known. */
export const hasVariables = (value) => typeof value === "string" && patterns.variable.test(value);
export const isBlank = (value) => value === undefined || value === null || value === "";
const trimmed = (value) => String(value ?? "").trim();

/** What the form stores for a property until the user changes it, and what one means that a flow leaves out. */
export function defaultOf(type, property) {
    const { fallback = "" } = properties[type][property] ?? {};
    return typeof fallback === "number" ? String(fallback) : fallback;
}

// Each check returns undefined when the value is good, else the key of the reason and its parameters.
const checks = {
    id: (value) => (isLegalId(String(value ?? ""), idRule) ? undefined : { key: "id" }),
    /** The id of the event that answers a command, with places for the id of that. */
    answer: (value, _property, node) =>
        isBlank(value) ? undefined : idFailure(String(value).replaceAll("{commandId}", "c"), "eventId", topicsOfNode(node)),
    idFilter: (value, property, node) => (isBlank(value) || value === "+" ? undefined : idFailure(value, property, topicsOfNode(node))),
    mqttText: (value) => (isBlank(value) || isLegalId(String(value), mqttTextRule) ? undefined : { key: "mqttText" }),
    /** An id of an event, or its format: by the rules of the gateway. */
    ofEvent(value, property, node) {
        const topics = topicsOfNode(node);
        const mayBeBlank = property === "format" || !topics.eventNames.has(property);
        return isBlank(value) && mayBeBlank ? undefined : idFailure(value, property, topics);
    },
    /** An id that commands must have, or their format. */
    ofCommand(value, property, node) {
        const topics = topicsOfNode(node);
        if (isBlank(value) || value === "+") return undefined;
        return topics.commandNames.has(property) ? idFailure(value, property, topics) : { key: "notInTopic" };
    },
    will(value, _property, node) {
        const topics = topicsOfNode(node);
        if (isBlank(value)) return undefined;
        const failure = idFailure(value, "eventId", { ...topics, replaces: false });
        if (failure || !topics.areOwn) return failure;
        const topic = topics.topics?.eventTopic(topics.identity, String(value), "text") ?? "";
        return findLongLevel(topic) === undefined ? undefined : { key: "ownLevel" };
    },
    eventTopic: (_value, _property, node) => templateFailure(topicsOfNode(node).fault, "event"),
    commandTopic: (_value, _property, node) => templateFailure(topicsOfNode(node).fault, "command"),
    /** A property of a node that needs the platform at the other end. */
    platformOnly: (_value, _property, node) => (topicsOfNode(node).areOwn ? { key: "platformOnly" } : undefined),
    host(value) {
        const host = trimmed(value);
        if (host === "") return { key: "required" };
        return patterns.host.test(host) ? undefined : { key: "host" };
    },
    path: (value) => (isBlank(value) || patterns.path.test(value) ? undefined : { key: "path" }),
    number(value, property, node) {
        const { min, max, whole, above } = properties[node.type][property];
        const entered = numberOf(value);
        if (entered === undefined) return undefined;
        const isIn = entered <= max && (above ? entered > min : entered >= min) && !(whole && !Number.isInteger(entered));
        return isIn ? undefined : { key: above ? "rangeAbove" : whole ? "wholeRange" : "range", min, max };
    },
    neededNumber: (value, property, node) => (trimmed(value) === "" ? { key: "required" } : checks.number(value, property, node)),
    numberOrZero(value, property, node) {
        const failure = numberOf(value) === 0 ? undefined : checks.number(value, property, node);
        return failure && { ...failure, key: "rangeOrZero" };
    },
    transport: (value, _property, node) =>
        current(node, "platform") === "maximo" && !encryptedTransports.includes(value) ? { key: "transport" } : undefined,
    jsonObject(value) {
        if (trimmed(value) === "") return undefined;
        try {
            const parsed = JSON.parse(value);
            if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return undefined;
        } catch {
            // Falls through to the reason below.
        }
        return { key: "jsonObject" };
    },
    // The platform takes only strings as the device's information.
    jsonTexts(value) {
        const failure = checks.jsonObject(value);
        if (failure || trimmed(value) === "") return failure;
        return Object.values(JSON.parse(value)).every((item) => typeof item === "string") ? undefined : { key: "jsonTexts" };
    },
    bundles(value) {
        const list = trimmed(value);
        const ids = list === "" ? [] : list.split(",");
        return ids.every((id) => patterns.bundle.test(id.trim())) ? undefined : { key: "bundles" };
    },
};

/** The topics of the gateway of a node, or of the node if it is one. */
function topicsOfNode(node) {
    if (node.type !== "gateway-config") return topicsOf(selectedGateway(node) ?? {});
    return topicsOf(Object.fromEntries(Object.keys(node._def.defaults).map((name) => [name, current(node, name)])));
}

function idFailure(value, property, { rules, replaces }) {
    const rule = rules[property];
    const isReplaced = replaces && property !== "format" && !isBlank(value);
    if (isReplaced || isLegalId(String(value ?? ""), rule)) return undefined;
    return { key: rule === idRule ? "id" : rule === levelRule ? "level" : "ownLevel" };
}

/** Only what is wrong with the template of this kind; an overlap is a matter of both. */
function templateFailure(fault, kind) {
    if (fault?.fault === "overlap") return { key: "topicOverlap" };
    if (fault?.kind !== kind) return undefined;
    // Only names that templates may have: never what was entered.
    return { key: fault.fault, names: fault.fault === "missingName" ? fault.value : templateNames(kind) };
}

/** A number as it was entered: undefined when there is none, NaN when it is none. */
function numberOf(value) {
    const entered = trimmed(value);
    if (entered === "") return undefined;
    return /^\d+(\.\d+)?$/.test(entered) ? Number(entered) : Number.NaN;
}

/** What a flow leaves out has its default, as at runtime. */
function given(node, property, value) {
    return value === undefined ? defaultOf(node.type, property) : value;
}

/** True, or the reason. Values are never part of a reason: the editor shows some reasons as html. */
export function check(node, property, name, value) {
    if (hasVariables(value)) return true;
    const failure = checks[name](given(node, property, value), property, node);
    return failure === undefined || reason(node, property, failure);
}

/** As `check`, for a TypedInput: only a plain string can be judged before the flow runs; an expression must parse. */
export function checkTyped(node, property, name, value, options) {
    const type = given(node, `${property}Type`, current(node, `${property}Type`));
    if (type === "str") return check(node, property, name, value);
    const expression = given(node, property, value);
    if (isBlank(expression)) return reason(node, property, { key: "required" });
    const outcome = globalThis.RED.utils.validateTypedProperty(expression, type, options);
    return outcome === false ? reason(node, property, { key: "expression" }) : outcome;
}

/** What to say of a secret that begins or ends with white space, as one that was copied; undefined of others. */
export function noteOnSecret(node, property, value = "") {
    return value.trim() === value ? undefined : reason(node, property, { key: "whiteSpace" });
}

function reason(node, property, { key, ...parameters }) {
    return text("gateway-config", `rule.${key}`, { label: text(node.type, `label.${property}`), ...parameters });
}
