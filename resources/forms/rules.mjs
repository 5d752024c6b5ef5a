// The checks of the forms, with reasons for the user. Bounds and patterns are those of the runtime, which has the last word.

import { current, text } from "./fields.mjs";
import { encryptedTransports, patterns, properties } from "./generated.mjs";
import { idRule, isLegalId, levelRule } from "./id-rules.mjs";

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
    level: (value) => (isLegalId(String(value ?? ""), levelRule) ? undefined : { key: "level" }),
    optionalLevel: (value) => (isBlank(value) ? undefined : checks.level(value)),
    idFilter: (value) => (isBlank(value) || value === "+" ? undefined : checks.id(value)),
    levelFilter: (value) => (isBlank(value) || value === "+" ? undefined : checks.level(value)),
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

function reason(node, property, { key, min, max }) {
    return text("gateway-config", `rule.${key}`, { label: text(node.type, `label.${property}`), min, max });
}
