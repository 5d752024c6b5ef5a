import type { Node, NodeAPI, NodeMessage } from "node-red";
import { translate } from "../i18n";

/**
 * Prepares a TypedInput value of type str, msg, env, flow, global or jsonata. Everything that can be decided once is decided here,
 * so that a message costs one property access in the usual cases. Reading may throw or reject.
 * @throws when a JSONata expression does not compile, or the path of a message property is none
 */
export function propertyReader(RED: NodeAPI, node: Node, value: string, type: string): PropertyReader {
    switch (type) {
        case "str":
            return { immediate: true, read: () => value };
        case "msg":
            return { immediate: true, read: messageReader(RED, value) };
        case "env": {
            const setting: unknown = RED.util.evaluateNodeProperty(value, "env", node, {});
            return { immediate: true, read: () => setting };
        }
        case "jsonata": {
            const expression = RED.util.prepareJSONataExpression(value, node);
            return {
                immediate: false,
                read: (message) => promised((callback) => RED.util.evaluateJSONataExpression(expression, message, callback)),
            };
        }
        case "flow":
        case "global":
            return {
                immediate: false,
                read: (message) => promised((callback) => RED.util.evaluateNodeProperty(value, type, node, message, callback)),
            };
        default:
            throw new Error(translate("flow.propertyType", { type }));
    }
}

/** Reads a property of the form's TypedInput. */
export type PropertyReader<T = unknown> =
    | { readonly immediate: true; read(message: NodeMessage): T }
    | { readonly immediate: false; read(message: NodeMessage): Promise<T> };

function messageReader(RED: NodeAPI, path: string): (message: NodeMessage) => unknown {
    // The usual case, a plain name, needs no parsing of the path for each message.
    if (/^[A-Za-z_]\w*$/.test(path)) return (message) => message[path];
    RED.util.normalisePropertyExpression(path);
    return (message) => {
        try {
            return RED.util.getMessageProperty(message, path);
        } catch (thrown) {
            // Something on the way to it is not there, and so neither is the property.
            if (thrown instanceof TypeError) return undefined;
            throw thrown;
        }
    };
}

function promised(start: (callback: (error: Error | null, value: unknown) => void) => void): Promise<unknown> {
    return new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value))));
}
