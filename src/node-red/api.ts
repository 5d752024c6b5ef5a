import type { Node, NodeAPI, NodeDef, NodeMessage } from "node-red";
import { describeThrown } from "../errors";
import { setTranslator, translate } from "../i18n";
import { withVariables } from "./variables";

export type { Node, NodeAPI, NodeDef, NodeMessage } from "node-red";

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

/** A node definition as Node-RED stores it: every property that the user set, not checked yet. */
export type StoredDefinition = NodeDef & Readonly<Record<string, unknown>>;

/** The rest of a node type's registration. */
export interface TypeOptions {
    /** The credentials that Node-RED keeps apart from the flow. */
    readonly credentials?: Readonly<Record<string, { readonly type: "text" | "password" }>>;
}

/** The running node with this id, or undefined when it is missing, disabled or of another type. */
export function findNode<N extends Node>(RED: NodeAPI, id: unknown, type: string): N | undefined {
    if (typeof id !== "string" || id === "") return undefined;
    const node: Node | null | undefined = RED.nodes.getNode(id);
    return node?.type === type ? (node as N) : undefined;
}

/**
 * Runs `close` when the node stops. Node-RED goes on when its promise settles, whatever the outcome.
 * @param close is passed whether the node was removed or disabled, as opposed to restarted
 */
export function onClose(node: Node, close: (removed: boolean) => void | Promise<void>): void {
    // Two declared parameters, or Node-RED would not wait for `done`.
    node.on("close", (removed: boolean, done: () => void) => {
        const failed = (thrown: unknown) => node.warn(translate("flow.closingFailed", { reason: describeThrown(thrown) }));
        try {
            const pending = close(removed);
            if (pending) {
                pending.catch(failed).finally(done).catch(failed);
                return;
            }
        } catch (thrown) {
            failed(thrown);
        }
        done();
    });
}

/** One of a node's credentials, or an empty string. */
export function credential(node: Node, name: string): string {
    const value = (node.credentials as Record<string, unknown> | undefined)?.[name];
    // The variable of a flow may hold it as a number.
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** One of the credentials of a node that may not run yet, or an empty string. */
export function storedCredential(RED: NodeAPI, id: string, name: string): string {
    const credentials: unknown = RED.nodes.getCredentials(id);
    const value: unknown = Reflect.get(Object(credentials), name);
    return typeof value === "string" ? value : "";
}

/** The properties of a message, not checked yet. */
export function properties(message: NodeMessage): Readonly<Record<string, unknown>> {
    return message;
}

/**
 * Raises an error like `node.error`, but without the line in the log when no Catch node takes it. Returns whether one did. Where
 * Node-RED does not offer that, the error is raised and logged as usual.
 */
export function raiseForCatchNodes(node: Node, error: Error, message: NodeMessage): boolean {
    const flow = (node as FlowMember)._flow;
    if (typeof flow?.handleError === "function") return flow.handleError(node, error, message) === true;
    node.error(error, message);
    return true;
}

/**
 * Whether Node-RED keeps the node in a flow of its own, and can look there for Catch and Status nodes. It keeps nodes without a tab with
 * the configuration nodes; for those its search for the users of a configuration node never ends.
 */
export function isInFlow(node: Node): boolean {
    const flow = (node as FlowMember)._flow;
    return flow !== undefined && flow.id !== "global";
}

/**
 * Runs `report`, and brings whatever it raises or shows to each Catch or Status node once. Node-RED itself brings the errors and
 * statuses of a configuration node to such a node once for each user of the configuration in its scope.
 */
export function onceForEachWatcher<T>(node: Node, report: () => T): T {
    const prototype = "users" in node ? ownerOfReceive(node) : undefined;
    if (!prototype) return report();
    const before = prototype.receive;
    // A report within a report counts for itself.
    const receive = receiveOfNodeRed ?? before;
    const served = new Set<Node>();
    receiveOfNodeRed = receive;
    prototype.receive = function (this: Node, message?: NodeMessage): void {
        const isWatcher = this.type === "catch" || this.type === "status";
        if (isWatcher && served.has(this)) return;
        served.add(this);
        receive.call(this, message);
    };
    try {
        return report();
    } finally {
        prototype.receive = before;
        if (before === receive) receiveOfNodeRed = undefined;
    }
}

/** The function of Node-RED while a report has another one in its place. */
let receiveOfNodeRed: Node["receive"] | undefined;

/** The prototype of all nodes. */
function ownerOfReceive(node: Node): Node | undefined {
    for (let owner: Node | null = node; owner; owner = Object.getPrototypeOf(owner)) {
        if (Object.hasOwn(owner, "receive")) return owner;
    }
    return undefined;
}

/** The flow of a node, which Node-RED's own `node.error` asks first whether a Catch node takes the error. Not part of its documented interface. */
interface FlowMember {
    readonly _flow?: { readonly id?: string; handleError?(node: Node, error: Error, message: NodeMessage): unknown };
}

/** The part of the runtime's hooks that its types leave out. The test helper's runtime has no hooks. */
interface HookTrigger {
    readonly hooks?: { trigger?(name: "onComplete", event: object, finished: () => void): void };
}

/** Notifies the runtime's hooks that a message has failed, as `done(error)` does. */
export function failedHook(RED: NodeAPI, node: Node, error: Error, message: NodeMessage): void {
    const event = { msg: message, error, node: { id: node.id, node } };
    (RED as HookTrigger).hooks?.trigger?.("onComplete", event, () => undefined);
}

const skipInterpolation = { skipInterpolation: true } as object as Record<string, string>;

/** From now on the package speaks the language of this Node-RED, from the catalogues of the node type that `RED` belongs to. */
export function translateWith(RED: NodeAPI): void {
    // The places are filled by `translate`: i18next would also look for its own marks in the text of a device or the platform.
    setTranslator((key) => RED._(key, skipInterpolation));
}
