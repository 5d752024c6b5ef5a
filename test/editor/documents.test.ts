import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { type NodeType, nodeTypes, readCatalogue } from "../support/drivers/editor-forms";

const textOf = (document: string): string => readFileSync(document, "utf8");

/** A text of the catalogue as a document writes it: a letter stands for each parameter. */
function asWritten(text: string): RegExp {
    const pattern = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/__\w+__/g, "\\w");
    return new RegExp(`^\\| \`${pattern}\``, "m");
}

/** What each document calls by its name in the forms: keys of the catalogue of a node type. */
const named: Readonly<Record<string, Partial<Record<NodeType, string>>>> = {
    "README.md": {
        "gateway-config": "option.maximo label.test tab.security label.outbox",
        "device-event-out": "label.palette label.gateway",
        "device-command-in": "label.palette",
        "gateway-notify-in": "label.palette",
        "dm-responder": "label.palette",
    },
    "docs/brokers.md": { "gateway-config": "option.broker" },
    "docs/messages.md": {
        "device-event-out": "option.qosFromMessage option.priorityFromMessage option.safe",
        "device-command-in": "label.datatype",
    },
    "docs/kinds-of-data.md": {
        "gateway-config": "label.outboxReserve label.outboxFull label.maxRate label.maxRateKb label.maxInFlight",
        "device-event-out": "label.priority option.priorityFromMessage",
    },
    "docs/operation.md": {
        "gateway-config":
            "label.outbox label.outboxMaxMb label.outboxReserve label.cleanSession label.autoConnect label.maxRateKb option.memory",
        "device-event-out": "label.timestamp label.typeId label.deviceId",
    },
    "docs/troubleshooting.md": {
        "gateway-config": "label.test label.maxRate tab.security label.outboxMaxMb label.outboxMaxAge label.cleanSession label.keepAlive",
        "device-event-out": "label.timestamp label.complete label.ttl preview.publish",
        "device-command-in": "label.datatype preview.subscribe",
        "gateway-notify-in": "label.palette",
        "dm-responder": "label.timeout label.deviceInfo",
    },
};

describe("docs/troubleshooting.md", () => {
    it("docs/troubleshooting.md explains every status with the text of the editor", () => {
        const page = textOf("docs/troubleshooting.md");
        for (const type of nodeTypes) {
            for (const [key, text] of readCatalogue("en-US", type)) {
                if (!key.includes(".status.")) continue;
                assert.match(page, asWritten(text.replace("__status__", "connected")), key);
            }
        }
    });
});

describe("docs/examples.md", () => {
    it("docs/examples.md lists every example by the name of its menu entry", () => {
        for (const file of readdirSync("examples")) {
            assert.ok(textOf("docs/examples.md").includes(`| ${file.replace(".json", "")} |`), file);
        }
    });
});

describe("the documents", () => {
    for (const [document, keysOfTypes] of Object.entries(named)) {
        it(`${document} calls fields, platforms and buttons what the forms call them`, () => {
            const page = textOf(document);
            for (const type of nodeTypes) {
                const texts = readCatalogue("en-US", type);
                for (const key of keysOfTypes[type]?.split(" ") ?? []) {
                    const text = texts.get(`${type}.${key}`);
                    assert.ok(page.includes(`*${text}*`) || page.includes(`*${text?.split(":")[0]}*`), `${type}: ${text}`);
                }
            }
        });
    }
});
