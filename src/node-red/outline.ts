import type { NodeMessage } from "node-red";

/** What can be told of a message that cannot be cloned. */
export function outline(message: NodeMessage): NodeMessage {
    const told: NodeMessage = {};
    for (const name of ["_msgid", "topic"]) {
        try {
            const value = message[name];
            if (typeof value === "string") told[name] = value;
        } catch {
            // This very property is the one whose getter throws.
        }
    }
    return told;
}
