import type { Node, NodeAPI, NodeDef, NodeMessage } from "node-red";
import { setTranslator } from "../i18n";
import { withVariables } from "./variables";

export type { Node, NodeAPI, NodeDef, NodeMessage } from "node-red";

/** A node definition as Node-RED stores it: every property the user set, of a type nobody checked. */
export type StoredDefinition = NodeDef & Readonly<Record<string, unknown>>;

/** What a node type registers beside its constructor. */
export interface TypeOptions {
    /** The credentials Node-RED keeps apart from the flow. */
    readonly credentials?: Readonly<Record<string, { readonly type: "text" | "password" }>>;
}

/**
 * Registers a node type. `construct` runs after `RED.nodes.createNode`; if it throws, the node reports the error and stays
 * without function instead of stopping the deploy.
 */
export function defineType<N extends Node>(
    RED: NodeAPI,
    type: string,
    construct: (node: N, definition: StoredDefinition) => void,
    options: TypeOptions = {},
): void {
    function NodeType(this: N, definition: NodeDef): void {
        RED.nodes.createNode(this, definition);
        construct(this, withVariables(RED, this, definition as StoredDefinition));
    }
    RED.nodes.registerType<N, NodeDef, object, object>(type, NodeType, options as object);
}

/** The running node with this id, or undefined when it is missing, disabled or of another type. */
export function findNode<N extends Node>(RED: NodeAPI, id: unknown, type: string): N | undefined {
    if (typeof id !== "string" || id === "") return undefined;
    const node: Node | null | undefined = RED.nodes.getNode(id);
    return node?.type === type ? (node as N) : undefined;
}

/** One of a node's credentials, or an empty string. */
export function credential(node: Node, name: string): string {
    const value = (node.credentials as Record<string, unknown> | undefined)?.[name];
    // A variable of a flow may hold it as a number.
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** The message as plain properties of unknown types, which is what it is. */
export function properties(message: NodeMessage): Readonly<Record<string, unknown>> {
    return message;
}

/** What Node-RED's own `node.error` asks first: whether a Catch node takes the error. Not part of its documented interface. */
interface ErrorTaker {
    readonly _flow?: { handleError?(node: Node, error: Error, message: NodeMessage): unknown };
}

/**
 * Raises an error like `node.error`, but without the line in the log when no Catch node takes it. Returns whether one did. Where
 * Node-RED does not offer that, the error is raised and logged as usual.
 */
export function raiseForCatchNodes(node: Node, error: Error, message: NodeMessage): boolean {
    const flow = (node as ErrorTaker)._flow;
    if (typeof flow?.handleError === "function") return flow.handleError(node, error, message) === true;
    node.error(error, message);
    return true;
}

/** The part of the runtime's hooks that its types leave out. The test helper's runtime has no hooks. */
interface HookTrigger {
    readonly hooks?: { trigger?(name: "onComplete", event: object, finished: () => void): void };
}

/** Tells the runtime's hooks that a message has failed, as `done(error)` does. */
export function failedHook(RED: NodeAPI, node: Node, error: Error, message: NodeMessage): void {
    const event = { msg: message, error, node: { id: node.id, node } };
    (RED as HookTrigger).hooks?.trigger?.("onComplete", event, () => undefined);
}

const skipInterpolation = { skipInterpolation: true } as object as Record<string, string>;

/** Lets the package say everything in the language of this Node-RED, from the catalogues of the node type that `RED` belongs to. */
export function translateWith(RED: NodeAPI): void {
    // The texts are filled in by us: i18next would also look for its own marks in what a device or the platform wrote.
    setTranslator((key) => RED._(key, skipInterpolation));
}
