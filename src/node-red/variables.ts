import type { Node, NodeAPI } from "node-red";
import { fillVariables, type Properties } from "../settings";

/**
 * A definition with every variable in its texts replaced, by the values that hold where the node is. Node-RED itself replaces only
 * a text that is one variable and nothing else. An expression, or the path of a property, stays as it is.
 */
export function withVariables<T extends Properties>(RED: NodeAPI, node: Node, definition: T): T {
    const fill = (name: string, value: unknown): unknown => {
        const isText = typeof value === "string" && (definition[`${name}Type`] ?? "str") === "str";
        return isText ? fillVariables(value, (variable) => variableOf(RED, node, variable)) : value;
    };
    const filled = Object.entries(definition).map(([name, value]) => [name, fill(name, value)]);
    return { ...definition, ...Object.fromEntries(filled) };
}

/** The value of a variable where a node is: of its group, its flow, the global environment or the process; undefined when it is not set. */
export function variableOf(RED: NodeAPI, node: Node, name: string): unknown {
    const value: unknown = RED.util.getSetting(node, name);
    return value;
}

/** Whether a token comes from variables. One that has the like of a variable within other characters is taken as it is. */
export function isFromVariables(token: string): boolean {
    return /^\$(?:\(\S+\)|\{.*\})$/s.test(token);
}

/** The value of a variable where a node of the global scope would be. */
export function globalVariableOf(RED: NodeAPI, name: string): unknown {
    let global: Node | undefined;
    RED.nodes.eachNode(({ id, type }) => {
        if (type === "global-config") global = RED.nodes.getNode(id);
    });
    return global ? variableOf(RED, global, name) : process.env[name];
}
