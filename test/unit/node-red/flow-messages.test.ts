import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const declarations = readFileSync("src/node-red/flow-messages.ts", "utf8");
const document = readFileSync("docs/messages.md", "utf8");

/** The members of a declared message, those of its members left out. */
function declared(name: string): string[] {
    const [, body = ""] =
        new RegExp(`^export interface ${name}(?: extends WiotpMessage)? \\{\n([\\s\\S]*?)^\\}$`, "m").exec(declarations) ?? [];
    return [...body.matchAll(/^ {4}(?:readonly )?(\w+)\??: /gm)].map(([, member = ""]) => member);
}

/** The properties that the document names for a node, those of properties left out. */
function documented(node: string): string[] {
    const [section = ""] = new RegExp(`^## ${node}\n[\\s\\S]*?(?=^## |\\n$(?![\\s\\S]))`, "m").exec(document) ?? [];
    const names = [...section.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = ""]) => [...cell.matchAll(/`(\w+)/g)]);
    return names.map(([, name = ""]) => name);
}

const messages: [node: string, ...types: string[]][] = [
    ["device-event-out", "WiotpEventMessage", "WiotpGatewayControlMessage", "WiotpUndeliveredMessage"],
    ["device-command-in", "WiotpCommandMessage"],
    [
        "gateway-notify-in",
        "WiotpNotificationMessage",
        "WiotpGatewayHealthMessage",
        "WiotpGatewayHealth",
        "WiotpDeviceHealthMessage",
        "WiotpDeviceHealth",
    ],
    ["dm-responder", "WiotpManagementRequest", "WiotpManagementOrder", "WiotpManagementAnswer"],
];

describe("the declarations of messages", () => {
    for (const [node, ...types] of messages) {
        it(`the types of ${node} declare exactly the properties that docs/messages.md names`, () => {
            const named = new Set(documented(node));
            assert.ok(named.size > 2);
            assert.deepEqual(new Set(types.flatMap(declared)), named);
        });
    }

    it("the declarations import nothing, so that they can be read without the package's code", () => {
        assert.doesNotMatch(declarations, /^import|\bimport\(|\bfrom "/m);
    });
});
