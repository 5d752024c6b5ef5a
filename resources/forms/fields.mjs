// The fields of the dialog that is open, and the texts of the forms.

const moduleName = "node-red-contrib-wiotp-gateway";

/** The ids of the nodes whose dialogs are open: there a validator reads the dialog, and not what is stored. */
const open = new Set();

/** The text of a key of one node type's catalogue, in the editor's language. */
export function text(type, key, parameters) {
    return globalThis.RED._(`${moduleName}/${type}:${type}.${key}`, parameters);
}

/** What the ids of the fields of a node type begin with, as the editor wants it. */
export function idPrefix(type) {
    return type === "gateway-config" ? "node-config-input" : "node-input";
}

/** The field of a property. */
export function field(node, property) {
    return globalThis.$(`#${idPrefix(node.type)}-${property}`);
}

/** From now on `current` reads the dialog of a node. */
export function dialogOpened(node) {
    open.add(node.id);
}

/** From now on `current` reads what a node holds. */
export function dialogClosed(node) {
    open.delete(node.id);
}

/** The value of a property: what the open dialog shows, else what the node holds. */
export function current(node, property) {
    if (open.has(node.id)) {
        const input = field(node, property);
        if (input.length > 0) return input.is(":checkbox") ? input.prop("checked") : input.val();
    }
    return node[property];
}

/** The gateway-config node that a form has chosen, if there is one. */
export function selectedGateway(node) {
    return globalThis.RED.nodes.node(current(node, "gateway")) ?? undefined;
}
