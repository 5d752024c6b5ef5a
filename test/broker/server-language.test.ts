import assert from "node:assert/strict";
import { setTranslator, type TextKey, type TextParameters, translate } from "../../src/i18n";
import { readCatalogue } from "../support/drivers/editor-forms";
import { gatewayNode } from "../support/drivers/flow-runner";
import { NodeRedProcess, nodeRedModules, type StartOptions } from "../support/drivers/node-red-process";
import { freePortPair } from "../support/ports";
import { waitFor } from "../support/wait-for";

/** A gateway whose server does not listen, and two events with a QoS that does not exist, one of which no Catch node watches. */
function flow(port: number): object[] {
    const onTab = (properties: object) => ({ z: "tab", x: 0, y: 0, wires: [], ...properties });
    const props = [
        { p: "payload", v: "1", vt: "num" },
        { p: "typeId", v: "t", vt: "str" },
        { p: "deviceId", v: "d1", vt: "str" },
        { p: "qos", v: "7", vt: "num" },
    ];
    return [
        { id: "tab", type: "tab", label: "language" },
        gatewayNode(port),
        onTab({ id: "once", type: "inject", once: true, onceDelay: 0.01, props, wires: [["caught-event", "logged-event"]] }),
        onTab({ id: "caught-event", type: "device-event-out", gateway: "gateway", qos: "" }),
        onTab({ id: "logged-event", type: "device-event-out", gateway: "gateway", qos: "" }),
        onTab({ id: "catch", type: "catch", scope: ["caught-event", "gateway"], wires: [["caught"]] }),
        onTab({ id: "caught", type: "function", func: "node.log(`caught ${msg.error.code} ${msg.error.message}`)" }),
    ];
}

/** A text as the catalogue of the language has it; English where it has none. */
function said(language: string, key: TextKey, parameters: TextParameters): string {
    const catalogue = readCatalogue(language, "gateway-config");
    setTranslator((name) => catalogue.get(name) ?? name);
    try {
        return translate(key, parameters);
    } finally {
        setTranslator(undefined);
    }
}

async function assertSpeaks(language: string, module: string, options: StartOptions): Promise<void> {
    const port = await freePortPair();
    const nodeRed = await NodeRedProcess.start(module, options);
    const logs = (line: string) => waitFor(() => nodeRed.log.includes(line), `the log to say ${line}`);
    const qos = said(language, "protocol.qos", { value: 7 });
    try {
        await nodeRed.deploy(flow(port));
        await logs(`caught GW_INVALID_QOS GatewayError [GW_INVALID_QOS]: ${qos}`);
        await logs(`[device-event-out:logged-event] GatewayError [GW_INVALID_QOS]: ${qos}`);
        const refused = said(language, "connection.refused", { server: `127.0.0.1:${port}` });
        await logs(`[gateway-config:gateway] GatewayError [GW_NETWORK]: ${refused}`);
        await logs(`caught GW_NETWORK GatewayError [GW_NETWORK]: ${refused}`);
    } finally {
        await nodeRed.stop();
    }
}

describe("the language of errors and log lines", () => {
    it("the French texts of this test differ from the English ones", () => {
        for (const key of ["protocol.qos", "connection.refused"] as const) assert.notEqual(said("fr", key, {}), said("en-US", key, {}));
    });

    for (const [name, module] of Object.entries(nodeRedModules)) {
        it(`logs in French with lang: "fr" in ${name}`, () => assertSpeaks("fr", module, { settings: { lang: "fr" } }));
    }

    it("logs in Chinese if lang is the name of the catalogue's folder", () =>
        assertSpeaks("zh-CN", "node-red", { settings: { lang: "zh-CN" } }));

    it("logs in German if the environment says so", () => assertSpeaks("de", "node-red", { env: { LC_ALL: "de_DE.UTF-8" } }));

    it("logs in English if no catalogue has the environment's two letters", () =>
        assertSpeaks("en-US", "node-red", { env: { LC_ALL: "es_ES.UTF-8" } }));
});
