// Completion of names while the user types: of what the deployed gateway has seen, or of fixed values.

import { current, field, selectedGateway } from "./fields.mjs";
import { hasVariables } from "./rules.mjs";

/**
 * What to offer for a text that was typed. The text itself comes first, because Tab takes the first one: completing
 * `pump-1` must not turn it into `pump-10`.
 */
function offer(typed, values) {
    const wanted = String(typed).toLowerCase();
    const matches = values.filter((value) => value !== typed && value.toLowerCase().includes(wanted));
    return matches.length === 0 || typed === "" ? matches : [typed, ...matches];
}

/** Suggests common formats while the user types; anything else may be typed as well. */
export function suggestFormats(node) {
    const formats = ["json", "text", "bin", "csv", "xml"];
    field(node, "format").autoComplete({ minLength: 0, search: (typed, done) => done(offer(typed, formats)) });
}

/** The type whose devices are wanted, where the form names one: not one that comes with the message, and not any. */
function knownType(node) {
    const typeId = current(node, "typeId");
    const isNamed = (current(node, "typeIdType") ?? "str") === "str" && typeId !== "+" && !hasVariables(typeId);
    return isNamed ? { typeId } : {};
}

/** Asks the deployed gateway what it knows of; without an answer there are no suggestions. */
export function searchInventory(node, kind) {
    return (typed, done) => {
        const gateway = selectedGateway(node);
        if (!gateway) return done([]);
        const query = { kind, q: typed, ...(kind === "deviceId" ? knownType(node) : {}) };
        globalThis.$.getJSON(`gateway-config/${encodeURIComponent(gateway.id)}/inventory`, query)
            .done((values) => done(offer(typed, Array.isArray(values) ? values.map(String) : [])))
            .fail(() => done([]));
    };
}

/** Suggests what the gateway has seen lately, in a plain text input. */
export function suggestKnown(node, property) {
    field(node, property).autoComplete({ minLength: 0, search: searchInventory(node, property) });
}
