import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import helper from "node-red-node-test-helper";
import type { GatewayOverview } from "../../src/gateway/monitor/gateway-overview";
import { type Credential, TestAuthority } from "../support/doubles/certificates";
import { WebSocketBridge } from "../support/doubles/websocket-bridge";
import { eventNode, gatewayNode, Inbox, load, observers, withRuntime } from "../support/drivers/flow-runner";
import { Mosquitto, passwordFile } from "../support/drivers/mosquitto";
import { codeOf, errorTextOf, requireRecord } from "../support/records";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

/** A node as the editor stores it: with all of its properties. */
const tlsNode = (properties: Record<string, unknown> = {}) => ({
    id: "tls",
    type: "tls-config",
    cert: "",
    key: "",
    ca: "",
    verifyservercert: true,
    ...properties,
});

/** A gateway whose TLS settings come from Node-RED's own `tls-config` node. */
describe("TLS settings of a tls-config node", () => {
    let authority: TestAuthority;
    /** Asks every client for its certificate and its password. */
    let strict: Mosquitto;
    /** Asks for the password only. */
    let tokens: Mosquitto;
    let own: Credential;
    withRuntime();

    before(async () => {
        authority = new TestAuthority("Plant CA");
        own = authority.issue({ commonName: "g:gw:gw1" });
        const { cert, key } = authority.issue({ commonName: "broker", names: ["DNS:localhost"] });
        const broker = (...listener: string[]) =>
            Mosquitto.start({
                listener: ["cafile {dir}/ca.crt", "certfile {dir}/server.crt", "keyfile {dir}/server.key", ...listener],
                general: ["allow_anonymous false", "password_file {dir}/passwords"],
                files: {
                    "ca.crt": authority.cert,
                    "server.crt": cert,
                    "server.key": key,
                    passwords: passwordFile({ "use-token-auth": secretToken }),
                },
            });
        tokens = await broker();
        strict = await broker("require_certificate true");
    });

    after(async () => {
        await strict?.stop();
        await tokens?.stop();
        authority?.remove();
    });

    /** Deploys a gateway with these TLS settings; `undefined` = none are chosen. */
    async function deploy(
        port: number,
        settings: Record<string, unknown> | undefined,
        {
            token = secretToken,
            ...secrets
        }: { token?: string; certdata?: string; keydata?: string; cadata?: string; passphrase?: string } = {},
    ): Promise<{ caught: Inbox; completed: Inbox }> {
        const tls = settings ? [tlsNode(settings)] : [];
        const gateway = gatewayNode(port, { host: "localhost", transport: "tls", tls: settings ? "tls" : "" });
        await load([...tls, gateway, eventNode(), ...observers], { gateway: { token }, tls: secrets });
        return { caught: new Inbox("caught"), completed: new Inbox("completed") };
    }

    /** Publishes an event and waits until the broker has acknowledged it. */
    async function publishes({ completed }: { completed: Inbox }): Promise<void> {
        helper.getNode("event").receive({ typeId: "pump", deviceId: "p1", payload: 1 });
        await completed.next();
    }

    async function gatewayState(): Promise<GatewayOverview> {
        const { body } = await helper.request().get("/wiotp-gateway/state").expect(200);
        const { gateways } = requireRecord(body);
        assert.ok(Array.isArray(gateways));
        return requireRecord(requireRecord(gateways[0]).gateway) as unknown as GatewayOverview;
    }

    /** How many days the certificates are valid, by owner. */
    async function validity(): Promise<Record<string, number>> {
        const { certificates } = await gatewayState();
        return Object.fromEntries(certificates.map(({ whose, daysLeft }) => [whose, daysLeft]));
    }

    it("trusts the private authority of a tls-config, with the token alone", async () => {
        await publishes(await deploy(tokens.port, {}, { cadata: authority.cert }));
        await tokens.logged(/as g:org:gw:gw1 .*u'use-token-auth'/);
    });

    it("reads certificates and keys from files", async () => {
        const file = path.join(authority.directory, "trusted.crt");
        writeFileSync(file, authority.cert);
        await publishes(await deploy(tokens.port, { ca: file }));
    });

    it("does not trust a private authority without a tls-config, and names the certificate in the error", async () => {
        const error = await (await deploy(tokens.port, undefined)).caught.next();
        assert.deepEqual([codeOf(error), error.topic, error.state], ["GW_TLS", "gateway", "tls"]);
        assert.match(
            errorTextOf(error),
            /certificate of localhost \(broker, issued by Plant CA\) is signed by an authority that is not trusted/,
        );
    });

    it("turns verification off only if the user chose it", async () => {
        await publishes(await deploy(tokens.port, { verifyservercert: false }));
        await helper.unload();
        const error = await (await deploy(tokens.port, { verifyservercert: undefined })).caught.next();
        assert.equal(codeOf(error), "GW_TLS");
    });

    it("sends a client certificate and a token to a broker that requires both", async () => {
        const certificate = { certdata: own.cert, keydata: own.key, cadata: authority.cert };
        await publishes(await deploy(strict.port, {}, certificate));
        await helper.unload();
        const missing = await (await deploy(strict.port, {}, { cadata: authority.cert })).caught.next();
        assert.equal(codeOf(missing), "GW_TLS");
        await helper.unload();
        const wrong = await (await deploy(strict.port, {}, { ...certificate, token: "wrong" })).caught.next();
        assert.equal(codeOf(wrong), "GW_AUTH");
    });

    it("uses a key with a passphrase, and shows neither the right nor a wrong passphrase", async () => {
        const wrong = `wrong-${secretToken}`;
        const encrypted = () =>
            createPrivateKey(own.key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: secretToken }).toString();
        // One key in 256 seems to be decrypted by a wrong passphrase too; OpenSSL then calls what comes out unsupported.
        let keydata = encrypted();
        for (let tries = 0; tries < 10 && !isBadDecrypt(keydata, wrong); tries++) keydata = encrypted();
        const certificate = { certdata: own.cert, keydata, cadata: authority.cert };
        await publishes(await deploy(strict.port, {}, { ...certificate, passphrase: secretToken }));
        await helper.unload();
        const error = await (await deploy(strict.port, {}, { ...certificate, passphrase: wrong })).caught.next();
        assert.equal(codeOf(error), "GW_TLS");
        assert.match(errorTextOf(error), /passphrase/);
    });

    it("identifies the gateway by its certificate alone, without user and token", async () => {
        const { cert, key } = authority.issue({ commonName: "broker", names: ["DNS:localhost"] });
        const certificates = await Mosquitto.start({
            listener: [
                "cafile {dir}/ca.crt",
                "certfile {dir}/server.crt",
                "keyfile {dir}/server.key",
                "require_certificate true",
                "use_identity_as_username true",
            ],
            general: ["allow_anonymous false"],
            files: { "ca.crt": authority.cert, "server.crt": cert, "server.key": key },
        });
        try {
            await publishes(
                await deploy(certificates.port, {}, { certdata: own.cert, keydata: own.key, cadata: authority.cert, token: "" }),
            );
            await certificates.logged(/as g:org:gw:gw1 .*u'g:gw:gw1'/);
            await helper.unload();
        } finally {
            await certificates.stop();
        }
    });

    it("uses certificates that were renewed on the disk at the next connection, and the last good ones while they are unreadable", async () => {
        const { cert, key } = authority.issue({ commonName: "broker", names: ["DNS:localhost"] });
        const broker = await Mosquitto.start({
            listener: [
                "cafile {dir}/ca.crt",
                "certfile {dir}/server.crt",
                "keyfile {dir}/server.key",
                "require_certificate true",
                "use_identity_as_username true",
            ],
            general: ["allow_anonymous false"],
            files: { "ca.crt": authority.cert, "server.crt": cert, "server.key": key },
        });
        const file = (name: string) => path.join(authority.directory, name);
        const write = (credential: Credential) => {
            writeFileSync(file("client.crt"), credential.cert);
            writeFileSync(file("client.key"), credential.key);
        };
        const restart = async () => {
            await broker.halt();
            await broker.resume();
        };
        writeFileSync(file("trusted.crt"), authority.cert);
        write(own);
        try {
            const paths = { cert: file("client.crt"), key: file("client.key"), ca: file("trusted.crt") };
            await publishes(await deploy(broker.port, paths, { token: "" }));
            await broker.logged(/as g:org:gw:gw1 .*u'g:gw:gw1'/);
            assert.deepEqual(await validity(), { server: 2, client: 2 });
            write(authority.issue({ commonName: "renewed", days: 400 }));
            await restart();
            await broker.logged(/as g:org:gw:gw1 .*u'renewed'/);
            await waitFor(async () => (await validity()).client === 400, "the validity of the renewed certificate");
            const connects = broker.connects;
            rmSync(file("client.key"));
            await restart();
            await waitFor(() => broker.connects > connects, "a connection with the last good key");
            const warnings = helper
                .log()
                .args.flat()
                .filter((entry) => JSON.stringify(entry).includes("client.key cannot be read: ENOENT"));
            assert.equal(warnings.length, 1);
            await helper.unload();
        } finally {
            await broker.stop();
        }
    });

    it("shows until when the certificates are valid in health, state, metrics and log", async () => {
        const { cert, key } = authority.issue({ commonName: "broker", names: ["DNS:localhost"], days: 29 });
        const broker = await Mosquitto.start({
            listener: ["cafile {dir}/ca.crt", "certfile {dir}/server.crt", "keyfile {dir}/server.key", "require_certificate true"],
            files: { "ca.crt": authority.cert, "server.crt": cert, "server.key": key },
        });
        try {
            const client = authority.issue({ commonName: "g:gw:gw1", days: 1 });
            await publishes(
                await deploy(broker.port, {}, { certdata: client.cert, keydata: client.key, cadata: authority.cert, token: "" }),
            );
            assert.deepEqual(await validity(), { server: 29, client: 1 });
            const gateway = await gatewayState();
            const expiresAt = new Date(new X509Certificate(client.cert).validTo).toISOString();
            assert.deepEqual(gateway.health.certificate, { whose: "client", expiresAt, daysLeft: 1 });
            assert.deepEqual(gateway.certificates[0], gateway.health.certificate);
            const { text } = await helper.request().get("/wiotp-gateway/metrics").expect(200);
            const series = `wiotp_gateway_certificate_expires_timestamp_seconds{gateway="g:org:gw:gw1",whose="client"}`;
            assert.ok(text.includes(`${series} ${Date.parse(expiresAt) / 1000}\n`), text);
            const log = JSON.stringify(helper.log().args);
            for (const [certificate, days] of Object.entries({ "certificate of the server": 29, "client certificate of this gateway": 1 }))
                assert.match(log, new RegExp(`The ${certificate} ends on [-\\d]+; days left: ${days}\\.`));
            await helper.unload();
        } finally {
            await broker.stop();
        }
    });

    it("applies a tls-config to secure websockets", async () => {
        const plain = await Mosquitto.start();
        const bridge = await WebSocketBridge.to(plain.port, {
            credential: authority.issue({ commonName: "web", names: ["DNS:localhost"] }),
        });
        try {
            const gateway = (tls: string) => gatewayNode(bridge.port, { host: "localhost", transport: "wss", path: "/mqtt", tls });
            await load([gateway(""), eventNode(), ...observers]);
            assert.equal(codeOf(await new Inbox("caught").next()), "GW_TLS");
            await helper.unload();
            await load([tlsNode(), gateway("tls"), eventNode(), ...observers], { tls: { cadata: authority.cert } });
            await publishes({ completed: new Inbox("completed") });
            assert.deepEqual(bridge.paths, ["/mqtt"]);
            await helper.unload();
        } finally {
            bridge.close();
            await plain.stop();
        }
    });

    it("does not connect if a tls-config cannot be loaded", async () => {
        const error = await (await deploy(tokens.port, { ca: "/no/such/file.crt" })).caught.next(
            (message) => codeOf(message) === "GW_CONFIG",
        );
        assert.match(errorTextOf(error), /could not load their certificate or key files/);
        await helper.unload();
        const connects = tokens.connects;
        const gateway = gatewayNode(tokens.port, { host: "localhost", transport: "tls", tls: "gone" });
        await load([gateway, eventNode(), ...observers], { gateway: { token: secretToken } });
        const gone = await new Inbox("caught").next();
        assert.equal(codeOf(gone), "GW_CONFIG");
        assert.match(errorTextOf(gone), /TLS settings are missing or disabled/);
        assert.equal(tokens.connects, connects);
    });
});

/** Whether OpenSSL notices at once that the passphrase does not fit the key. */
function isBadDecrypt(key: string, passphrase: string): boolean {
    try {
        createPrivateKey({ key, passphrase });
        return false;
    } catch (error) {
        return error instanceof Error && "code" in error && error.code === "ERR_OSSL_BAD_DECRYPT";
    }
}
