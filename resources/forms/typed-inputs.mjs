// The fields that are TypedInputs of the editor.

import { searchInventory } from "./completion.mjs";
import { field } from "./fields.mjs";
import { defaultOf } from "./rules.mjs";

/** A value that may come from the message, the contexts or an expression. A string gets suggestions of what the gateway has seen lately. */
export function typedInput(node, property) {
    const string = { value: "str", label: "string", icon: "red/images/typedInput/az.svg", autoComplete: searchInventory(node, property) };
    field(node, property).typedInput({
        default: defaultOf(node.type, `${property}Type`),
        types: ["msg", string, "flow", "global", "env", "jsonata"],
        typeField: field(node, `${property}Type`),
    });
}

/** An optional JSON object, with the editor's own JSON dialog. */
export function jsonInput(node, property) {
    const { validate } = node._def.defaults[property];
    const json = {
        value: "json",
        label: "JSON",
        icon: "red/images/typedInput/json.svg",
        validate: (value) => validate.call(node, value, {}) === true,
        expand() {
            globalThis.RED.editor.editJSON({ value: this.value(), complete: (value) => this.value(value), focus: true });
        },
    };
    field(node, property).typedInput({ types: [json] });
}
