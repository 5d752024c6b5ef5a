import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { nodeTypes, readCatalogue } from "../support/editor-forms";

const readme = readFileSync("README.md", "utf8");

/** A text of the catalogue as the README writes it: a letter stands for each parameter. */
function asWritten(text: string): RegExp {
    const pattern = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/__\w+__/g, "\\w");
    return new RegExp(`^\\| \`${pattern}\``, "m");
}

describe("README and the editor", () => {
    it("explains every status in the words of the editor", () => {
        for (const type of nodeTypes) {
            for (const [key, text] of readCatalogue("en-US", type)) {
                if (!key.includes(".status.")) continue;
                assert.match(readme, asWritten(text.replace("__status__", "connected")), key);
            }
        }
    });

    it("lists every example by the name of its menu entry", () => {
        for (const file of readdirSync("examples")) assert.ok(readme.includes(`| ${file.replace(".json", "")} |`), file);
    });

    it("calls fields, platforms and buttons what the forms call them", () => {
        const named: Record<string, string> = {
            "gateway-config":
                "option.broker label.test label.maxRate tab.security label.outbox label.outboxMaxMb label.outboxMaxAge label.cleanSession label.keepAlive",
            "device-event-out": "label.palette label.gateway label.timestamp label.complete label.ttl preview.publish option.fromMessage",
            "device-command-in": "label.palette label.datatype preview.subscribe",
            "gateway-notify-in": "label.palette",
            "dm-responder": "label.palette label.timeout label.deviceInfo",
        };
        for (const type of nodeTypes) {
            const texts = readCatalogue("en-US", type);
            for (const key of named[type]?.split(" ") ?? []) {
                const text = texts.get(`${type}.${key}`);
                assert.ok(readme.includes(`*${text}*`) || readme.includes(`*${text?.split(":")[0]}*`), `${type}: ${text}`);
            }
        }
    });
});
