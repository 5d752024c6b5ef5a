import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseGatewayOptions } from "../../src/gateway/gateway-options";
import type { StoredDefinition } from "../../src/node-red/api";
import { parseCommandSettings } from "../../src/node-red/device-command-in";
import { parseResponderSettings } from "../../src/node-red/dm-responder";
import { parseNotificationSettings } from "../../src/node-red/gateway-notify-in";
import { platformIds } from "../../src/protocol/id-parser";
import {
    FormHost,
    languages,
    nodeTypes,
    readCatalogue,
    readForm,
    readSharedScripts,
    readTemplate,
    root,
} from "../support/drivers/editor-forms";

const host = new FormHost();

/** The contract's properties with their defaults; a flow written by one version must be read by the next. */
const contract = {
    "gateway-config": {
        name: "",
        platform: "maximo",
        host: "",
        port: "",
        transport: "tls",
        path: "/",
        tls: "",
        orgId: "",
        typeId: "",
        deviceId: "",
        autoConnect: true,
        cleanSession: true,
        keepAlive: "60",
        outbox: "disk",
        outboxMaxMb: "100",
        outboxMaxAge: "168",
        outboxReserve: "10",
        outboxFull: "reject",
        undeliveredMaxMb: "10",
        maxRate: "0",
        maxRateKb: "0",
        maxInFlight: "100",
        registrationLimit: "8",
        registrationBackoff: "600",
        will: "",
        eventTopic: "",
        commandTopic: "",
        clientId: "",
        userName: "",
        registration: "auto",
        idRule: "strict",
    },
    "device-event-out": {
        name: "",
        gateway: "",
        source: "device",
        typeId: "typeId",
        typeIdType: "msg",
        deviceId: "deviceId",
        deviceIdType: "msg",
        eventId: "status",
        eventIdType: "str",
        format: "json",
        qos: "1",
        priority: "normal",
        offline: "keep",
        wrap: false,
        timestamp: "",
        complete: "safe",
        ttl: "",
    },
    "device-command-in": {
        name: "",
        gateway: "",
        target: "device",
        typeId: "",
        deviceId: "",
        commandId: "",
        format: "",
        qos: "1",
        datatype: "auto",
        replayed: "pass",
        acknowledge: "received",
        timeout: "60",
        answer: "",
        inputs: 0,
    },
    "gateway-notify-in": {
        name: "",
        gateway: "",
        about: "refusals",
        request: "any",
        interval: "",
        typeId: "",
        deviceId: "",
        silentAfter: "",
    },
    "dm-responder": {
        name: "",
        gateway: "",
        target: "gateway",
        typeId: "",
        deviceId: "",
        manage: true,
        lifetime: "0",
        deviceActions: true,
        firmwareActions: false,
        bundles: "",
        deviceInfo: "",
        metadata: "",
        respond: "flow",
        timeout: "30",
        replayed: "pass",
    },
};

describe("the values that an unchanged form stores", () => {
    const needed = { host: "a.example", orgId: "org", typeId: "gw", deviceId: "1" };
    for (const [type, parse] of [
        ["gateway-config", (given) => parseGatewayOptions({ ...given, ...needed })],
        ["device-command-in", (given) => parseCommandSettings(given, platformIds)],
        ["gateway-notify-in", parseNotificationSettings],
        ["dm-responder", parseResponderSettings],
    ] as const satisfies [keyof typeof contract, (given: StoredDefinition) => unknown][]) {
        it(`an unchanged form of ${type} means the same at runtime as a node without properties`, () => {
            const node = { id: "n", z: "tab", name: "", type };
            assert.deepEqual(parse({ ...contract[type], ...node }), parse(node));
        });
    }
});

for (const type of nodeTypes) {
    describe(`form of ${type}`, () => {
        const definition = host.definition(type);
        const template = readTemplate(type);
        const isConfig = definition.category === "config";
        const prefix = isConfig ? "node-config-input-" : "node-input-";

        it("has exactly the contract's properties and defaults", () => {
            const defaults = Object.entries(definition.defaults).map(([name, { value }]) => [name, value]);
            assert.deepEqual(Object.fromEntries(defaults), contract[type]);
            assert.deepEqual(Object.keys(definition.credentials), isConfig ? ["token"] : []);
        });

        it("has one input for each property, and no other input", () => {
            const ids = [...template.matchAll(/ id="([^"]+)"/g)].map((match) => match[1] ?? "");
            const inputs = ids.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
            const expected = [...Object.keys(definition.defaults), ...Object.keys(definition.credentials)];
            assert.deepEqual(inputs.sort(), expected.sort());
            for (const id of ids) assert.ok(id.startsWith(prefix) || id.startsWith(type), `the id ${id} is not prefixed`);
        });

        it("labels every input that is shown", () => {
            const shown = [...template.matchAll(/<(?:input|select)(?![^>]*type="hidden")[^>]* id="([^"]+)"/g)].map((match) => match[1]);
            const labelled = [...template.matchAll(/<label for="([^"]+)"/g)].map((match) => match[1]);
            assert.deepEqual(labelled.sort(), shown.sort());
        });

        it("offers each default among the choices of its select", () => {
            for (const select of template.matchAll(new RegExp(`<select id="${prefix}([^"]+)"[^>]*>([\\s\\S]*?)</select>`, "g"))) {
                const property = select[1] ?? "";
                const choices = [...(select[2] ?? "").matchAll(/<option value="([^"]*)"/g)].map((option) => option[1]);
                assert.ok(choices.includes(String(definition.defaults[property]?.value)), `${property}: ${choices}`);
            }
        });

        it("has validators with two parameters, because the editor ignores the reasons of others", () => {
            for (const [name, property] of Object.entries(definition.defaults)) {
                if (property.validate) assert.equal(property.validate.length, 2, name);
            }
        });

        it("accepts its defaults, except for fields that the user must fill in", () => {
            const mustFill = isConfig ? ["host", "orgId", "typeId", "deviceId"] : [];
            for (const [name, property] of Object.entries(definition.defaults)) {
                if (!property.validate) continue;
                const outcome = host.validate(type, name, property.value);
                if (mustFill.includes(name)) assert.equal(typeof outcome, "string", name);
                else assert.equal(outcome, true, name);
            }
        });

        it("accepts environment variables in every property, one or several", () => {
            for (const value of ["${SOME_NAME}", "$(SOME_NAME)", "${ONE}-${OTHER}", "a/${ONE}"]) {
                for (const [name, property] of Object.entries(definition.defaults)) {
                    if (property.validate) assert.equal(host.validate(type, name, value), true, `${name}: ${value}`);
                }
            }
        });

        it("names the field in each reason and never repeats the value", () => {
            for (const language of languages) {
                const translated = new FormHost(language);
                translated.gateways.set("own", { platform: "broker", eventTopic: "sensors/{deviceId}", commandTopic: "" });
                for (const [name, property] of Object.entries(translated.definition(type).defaults)) {
                    if (!property.validate) continue;
                    const value = "<img src=x>/ \u0007";
                    const platform = name === "transport" ? "maximo" : "broker";
                    const strict = { source: "device", target: "device", transport: "wss", platform, eventIdType: "str", gateway: "own" };
                    const about = name === "request" ? "refusals" : name === "interval" ? "gateway" : "devices";
                    const types = { typeIdType: "str", deviceIdType: "str", acknowledge: "flow", about };
                    const reason = translated.validate(type, name, value, { ...strict, ...types });
                    assert.equal(typeof reason, "string", `${language}: ${name}`);
                    assert.ok(!String(reason).includes("<img"), `${language}: ${name} repeats the value`);
                    const label = translated.translate(`/${type}:${type}.label.${name}`);
                    assert.ok(String(reason).startsWith(label), `${language}: ${name} does not name its field: ${reason}`);
                }
            }
        });

        it("has texts for its palette entry, its label and its ports", () => {
            for (const name of ["name", ""]) {
                const node = host.node(type, { name });
                assert.ok(String(definition.call("label", node)).length > 0);
                assert.equal(definition.call("labelStyle", node), name === "" ? "" : "node_label_italic");
            }
            if (isConfig) return;
            assert.ok(String(definition.call("paletteLabel", host.node(type))).length <= 20);
            if (definition.inputs === 1) assert.ok(definition.call("inputLabels", host.node(type), 0));
            for (let port = 0; port < (definition.outputs ?? 0); port += 1) {
                assert.ok(definition.call("outputLabels", host.node(type), port));
            }
        });

        it("has no untranslated text in the template", () => {
            const words = template.replace(/<[^>]*>/g, "").trim();
            assert.equal(words, "");
            for (const attribute of template.matchAll(/ (placeholder|title|aria-label|value)="([^"]*)"/g)) {
                const [, name, value] = attribute;
                if (name !== "value") assert.match(value ?? "", /^msg\.\w+$/, `${name}="${value}"`);
            }
        });

        it("uses no colour but that of the node", () => {
            const html = readForm(type).replace(`color: "${definition.color}"`, "");
            assert.doesNotMatch(html, /#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(|(?<![\w-])(background|color)\s*:/);
        });

        it("gives each field a width, which the editor applies to the element that replaces it", () => {
            const shown = [...template.matchAll(/<(?:input|select)(?![^>]*type="(?:hidden|checkbox)")[^>]*>/g)].map(([tag]) => tag);
            assert.ok(shown.length > 2);
            for (const tag of shown) assert.match(tag, / style="width: (?:calc\(100% - \d+px\)|\d+px)"/);
        });

        it("has an icon of the package's family", () => {
            const file = path.join(root, "icons", definition.icon);
            assert.ok(existsSync(file), definition.icon);
            const svg = readFileSync(file, "utf8");
            assert.match(svg, /width="40" height="60" viewBox="0 0 40 60"/);
            assert.deepEqual(new Set(svg.match(/#[0-9a-f]+/gi)), new Set(["#fff"]));
        });
    });
}

describe("all forms", () => {
    it("all forms share one colour and one palette category", () => {
        assert.equal(new Set(nodeTypes.map((type) => host.definition(type).color)).size, 1);
        const categories = nodeTypes.slice(1).map((type) => host.definition(type).category);
        assert.deepEqual(new Set(categories), new Set(["iot gateway"]));
    });

    it("one form describes the palette category, by a key that its catalogue has", () => {
        const described = nodeTypes.flatMap((type) => {
            const [, module, key = ""] = /categoryDescription: "([^":]+):([^"]+)"/.exec(readForm(type)) ?? [];
            return module === undefined ? [] : [{ module, isKnown: readCatalogue("en-US", type).has(key), type }];
        });
        assert.deepEqual(described, [
            { module: "node-red-contrib-wiotp-gateway/device-event-out", isKnown: true, type: "device-event-out" },
        ]);
    });

    it("all forms load one module relative to the editor, and nothing from another address", () => {
        for (const type of nodeTypes) {
            const scripts = [...readForm(type).matchAll(/<script[^>]* src=[^>]*>/g)].map(([tag]) => tag);
            assert.deepEqual(scripts, ['<script type="module" src="resources/node-red-contrib-wiotp-gateway/forms/forms.mjs">']);
            assert.doesNotMatch(readForm(type), /https?:\/\//);
        }
        assert.doesNotMatch(readSharedScripts(), /https?:\/\//);
    });

    it("all forms can be read by the flow library, which runs no script", () => {
        for (const type of nodeTypes) {
            // It wants literals, and reads no object with a spread in it.
            const [, definition = ""] =
                new RegExp(`RED\\.nodes\\.registerType\\("${type}", \\{\n([\\s\\S]*?)\n {8}\\}\\);`).exec(readForm(type)) ?? [];
            assert.match(definition, /^ {12}category: "[\w ]+",\n {12}color: "#\w+",\n {12}icon: "[\w-]+\.svg",\n/);
            assert.match(definition, /^ {12}defaults: \{\n(?: {16}\w+: .*,\n)+ {12}\},$/m);
            assert.doesNotMatch(definition, /^ {12,16}\.\.\./m);
        }
    });
});
