import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import vm from "node:vm";
import { FormHost, nodeTypes, root } from "../support/drivers/editor-forms";
import { requireRecord } from "../support/records";

const folder = path.join(root, "examples");
const host = new FormHost();

type Entry = Record<string, unknown>;

function flowsOf(file: string): Entry[] {
    const nodes: unknown = JSON.parse(readFileSync(file, "utf8"));
    assert.ok(Array.isArray(nodes));
    return nodes.map(requireRecord);
}

const examples = readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => ({ name: path.basename(file, ".json"), nodes: flowsOf(path.join(folder, file)) }));

/** Node types of an empty Node-RED that the examples may use. */
const core = new Set(
    "tab group comment inject debug function switch split catch complete mqtt-broker tls-config"
        .split(" ")
        .concat("mqtt in", "mqtt out", "http request", "link in", "link out"),
);

const known = (type: unknown) => nodeTypes.find((name) => name === type);
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.flat().map(String) : []);

function ofType(nodes: Entry[], type: string): Entry[] {
    return nodes.filter((node) => node.type === type);
}

/** Every property of every node of this package is there and valid. */
function assertValid(nodes: Entry[]): void {
    for (const gateway of ofType(nodes, "gateway-config")) host.gateways.set(String(gateway.id), gateway);
    for (const node of nodes) {
        const type = known(node.type);
        if (!type) continue;
        const { defaults } = host.definition(type);
        for (const [property, definition] of Object.entries(defaults)) {
            assert.ok(property in node, `${node.id} has no ${property}`);
            if (definition.validate) assert.equal(host.validate(type, property, node[property], node), true, property);
        }
    }
}

describe("the demo of npm start", () => {
    const nodes = flowsOf(path.join(root, "scripts", "demo", "flows.json"));

    it("the demo has every node of the package, with valid settings", () => {
        for (const type of nodeTypes) assert.ok(ofType(nodes, type).length > 0, type);
        assertValid(nodes);
    });
});

describe("examples", () => {
    it("the names of the examples sort in reading order, templates last", () => {
        assert.deepEqual(
            examples.map(({ name }) => name.split(" ")[0]),
            examples.map((_, index) => String(index + 1).padStart(2, "0")),
        );
        const isTemplate = examples.map(({ nodes }) => ofType(nodes, "tab")[0]?.disabled === true);
        assert.deepEqual(isTemplate, [...isTemplate].sort());
        assert.ok(isTemplate.includes(true) && isTemplate.includes(false));
    });

    it("the examples use every node type", () => {
        const used = new Set(examples.flatMap(({ nodes }) => nodes.map((node) => node.type)));
        for (const type of nodeTypes) assert.ok(used.has(type), type);
    });

    it("all examples can be imported into one workspace", () => {
        const ids = examples.flatMap(({ nodes }) => nodes.map((node) => node.id));
        assert.equal(new Set(ids).size, ids.length);
        const clientIds = examples.flatMap(({ nodes }) => [
            ...ofType(nodes, "mqtt-broker").map((node) => node.clientid),
            ...ofType(nodes, "gateway-config").map((node) => `${node.orgId}/${node.typeId}/${node.deviceId}`),
        ]);
        assert.equal(new Set(clientIds).size, clientIds.length);
    });

    for (const { name, nodes } of examples) {
        describe(name, () => {
            const byId = new Map(nodes.map((node) => [node.id, node]));

            it("is one flow with a description and a comment that explains what to look at", () => {
                const tabs = ofType(nodes, "tab");
                assert.equal(tabs.length, 1);
                assert.ok(String(tabs[0]?.info).length > 20);
                assert.equal(`${name.split(" ")[0]} ${tabs[0]?.label}`, name);
                const comment = ofType(nodes, "comment")[0];
                assert.ok(String(comment?.name).length > 20 && String(comment?.info).length > 100);
            });

            it("uses only nodes of this package and of an empty Node-RED", () => {
                for (const node of nodes) assert.ok(known(node.type) || core.has(String(node.type)), String(node.type));
            });

            it("refers only to nodes that it contains", () => {
                for (const node of nodes) {
                    const named = [...texts(node.wires), ...texts(node.links), ...texts(node.scope), ...texts(node.nodes)];
                    for (const property of ["z", "g", "gateway", "broker", "tls"]) {
                        // The broker's own address and a gateway's optional TLS settings are not ids.
                        if (typeof node[property] === "string" && node[property] !== "" && node.type !== "mqtt-broker") {
                            named.push(String(node[property]));
                        }
                    }
                    for (const id of named) assert.ok(byId.has(id), `${node.type} ${node.id} names ${id}`);
                }
            });

            it("has valid settings in every node", () => {
                assertValid(nodes);
            });

            it("carries no secret and runs on the simulator or on settings from the environment", () => {
                for (const node of nodes) {
                    assert.equal("credentials" in node, false);
                    assert.equal("token" in node || "password" in node, false);
                }
                const isDisabled = ofType(nodes, "tab")[0]?.disabled === true;
                const fromEnvironment = (host: unknown) => isDisabled && /^\$\{\w+\}$/.test(String(host));
                const gateways = ofType(nodes, "gateway-config");
                const startsSimulator = gateways.some(({ platform, port }) => platform === "simulator" && port === "18830");
                for (const { platform, host, port } of gateways) {
                    const isOnSimulator = platform === "simulator" || (startsSimulator && host === "127.0.0.1" && port === "18830");
                    assert.ok(isOnSimulator || fromEnvironment(host));
                }
                for (const broker of ofType(nodes, "mqtt-broker")) {
                    // What plays the application belongs to the simulator; anything else is a broker of the user's own.
                    if (fromEnvironment(broker.broker)) continue;
                    assert.deepEqual([broker.broker, broker.port], ["127.0.0.1", "18830"]);
                    assert.match(String(broker.clientid), /^(a:demo:[a-z0-9]+|own-broker-application)$/);
                }
            });

            it("contains only functions that compile", () => {
                for (const node of ofType(nodes, "function")) new vm.Script(`(async function () {${String(node.func)}\n})`);
            });
        });
    }
});
