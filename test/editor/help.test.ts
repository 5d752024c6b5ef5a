import assert from "node:assert/strict";
import { errorTable } from "../../src/errors";
import { FormHost, languages, type NodeType, nodeTypes, readCatalogue, readHelp } from "../support/drivers/editor-forms";

/** The message properties of the contract that each help must describe. */
const messageProperties: Record<NodeType, string> = {
    "gateway-config": "",
    "device-event-out": "payload typeId deviceId format qos priority ttl",
    "device-command-in": "payload topic typeId deviceId commandId format qos duplicate receivedAt replayed retain command rc message",
    "gateway-notify-in":
        "payload request time topic typeId deviceId clientId rc message raw event _msgid nodeId eventId sentAt candidates malformed state since code reason waiting oldestAt high normal low drain held totals silent lastEvent",
    "dm-responder":
        "dm action typeId deviceId reqId bundleId actionId fields replayed payload topic rc message reply step reason manage unmanage location addErrorCode clearErrorCodes addLog clearLog notify device/reboot device/factoryReset firmware/download firmware/update device/update observe cancel custom downloading downloaded updating updated failed memory connection verification image uri",
};

const codeSpans = (help: string): string[] => [...help.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
const listed = (help: string): string[] => [...help.matchAll(/^: \*?(\w+)\*? \(/gm)].map((match) => match[1] ?? "");

for (const language of languages) {
    describe(`help in ${language}`, () => {
        for (const type of nodeTypes) {
            const help = readHelp(language, type);

            it(`describes every message property of ${type}`, () => {
                const described = new Set([...listed(help), ...codeSpans(help).map((code) => code.replace(/^msg\.(dm\.)?/, ""))]);
                for (const property of messageProperties[type].split(" ").filter(Boolean)) assert.ok(described.has(property), property);
            });

            it(`names every field and button of ${type} as the form does`, () => {
                const { defaults, credentials } = new FormHost(language).definition(type);
                const catalogue = readCatalogue(language, type);
                const buttons = type === "gateway-config" ? ["test", "connect"] : [];
                for (const property of [...Object.keys(defaults), ...Object.keys(credentials), ...buttons]) {
                    if (property === "name" || property === "inputs" || property.endsWith("Type")) continue;
                    const label = catalogue.get(`${type}.label.${property}`);
                    assert.ok(label && help.includes(label), `${property}: ${label}`);
                }
            });

            it(`follows the style guide in the help of ${type}`, () => {
                assert.match(help, /^[^#\n:`-]/, "starts with an introduction");
                assert.doesNotMatch(help, /\*\*|__|<(?!http)/, "no bold text, no html");
                assert.doesNotMatch(help, /^#{1,2} |^#{5}/m, "headings of level three and four only");
                for (const line of help.match(/^: .*$/gm) ?? []) {
                    assert.match(line, /^: \*?\w+\*? \([^:()]+\) : [^:]+$/, `the editor cannot show: ${line}`);
                }
            });

            it(`has the structure of the English help of ${type} in ${language}`, () => {
                const english = readHelp("en-US", type);
                assert.deepEqual(listed(help), listed(english));
                assert.deepEqual(codeSpans(help).sort(), codeSpans(english).sort());
                const outline = (text: string) => text.match(/^(#+|- |: |\d\. )/gm);
                assert.deepEqual(outline(help), outline(english));
            });
        }

        it("explains every error code", () => {
            const codes = new Set(nodeTypes.flatMap((type) => codeSpans(readHelp(language, type))));
            for (const code of Object.keys(errorTable)) assert.ok(codes.has(code), code);
        });

        it("says of every node that its messages fail if its settings are invalid", () => {
            for (const type of nodeTypes) assert.ok(codeSpans(readHelp(language, type)).includes("GW_CONFIG"), type);
        });
    });
}
