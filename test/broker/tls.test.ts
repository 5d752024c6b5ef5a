import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:tls";
import type { ConnectionOptions } from "../../src/connection/gateway-connection";
import { TestAuthority } from "../support/doubles/certificates";
import { Connections } from "../support/drivers/connections";
import { Mosquitto, passwordFile } from "../support/drivers/mosquitto";
import { portOf } from "../support/ports";
import { waitFor } from "../support/wait-for";

const localNames = ["DNS:localhost", "IP:127.0.0.1"];

describe("TLS", () => {
    const connections = new Connections();
    const brokers: Mosquitto[] = [];
    let authority: TestAuthority;
    let strangers: TestAuthority;

    before(() => {
        authority = new TestAuthority("Plant CA");
        strangers = new TestAuthority("Another CA");
    });
    afterEach(async () => {
        await connections.close();
        await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
    });
    after(() => {
        authority.remove();
        strangers.remove();
    });

    /** A broker with a certificate for this machine, or the one given. */
    async function broker(options: {
        names?: readonly string[];
        days?: number;
        listener?: readonly string[];
        general?: readonly string[];
        files?: Readonly<Record<string, string>>;
    }) {
        const { cert, key } = authority.issue({ commonName: "broker", names: localNames, ...options });
        const started = await Mosquitto.start({
            listener: ["cafile {dir}/ca.crt", "certfile {dir}/server.crt", "keyfile {dir}/server.key", ...(options.listener ?? [])],
            ...(options.general ? { general: options.general } : {}),
            files: { "ca.crt": authority.cert, "server.crt": cert, "server.key": key, ...options.files },
        });
        brokers.push(started);
        return started;
    }

    const secure = (port: number, tls: ConnectionOptions["tls"]): Pick<ConnectionOptions, "port"> & Partial<ConnectionOptions> => ({
        port,
        host: "localhost",
        transport: "tls",
        tls,
    });

    it("trusts a private authority that is configured", async () => {
        const { port } = await broker({});
        const { connection } = await connections.online("private-ca", secure(port, { ca: authority.cert }));
        assert.equal(await connection.subscribe("a", 1), 1);
    });

    it("verifies an address as well as a name", async () => {
        const { port } = await broker({});
        await connections.online("address", { ...secure(port, { ca: authority.cert }), host: "127.0.0.1" });
    });

    it("does not trust an unknown authority, and says what to do", async () => {
        const { port } = await broker({});
        for (const tls of [undefined, {}, { ca: strangers.cert }]) {
            const reason = await connections.reason("no-ca", secure(port, tls));
            assert.equal(reason.code, "GW_TLS");
            assert.match(
                reason.text,
                /certificate of localhost \(broker, issued by Plant CA\) is signed by an authority that is not trusted/,
            );
        }
    });

    it("verifies certificates even in a process that turns verification off", async () => {
        const { port } = await broker({});
        process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
        try {
            const reason = await connections.reason("env", secure(port, undefined));
            assert.equal(reason.cause, "certificateUntrusted");
        } finally {
            delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
        }
    });

    it("sends the host or the configured name as server name, and none for an address", async () => {
        const names: unknown[] = [];
        const server = createServer(authority.issue({ commonName: "names", names: localNames }), (socket) => {
            names.push(socket.servername);
            socket.destroy();
        });
        server.on("tlsClientError", () => {});
        await once(server.listen(0, "127.0.0.1"), "listening");
        const port = portOf(server);
        try {
            await connections.reason("host", secure(port, { ca: authority.cert }));
            await connections.reason("other", secure(port, { ca: authority.cert, servername: "other.example", rejectUnauthorized: false }));
            await connections.reason("address", { ...secure(port, { ca: authority.cert }), host: "127.0.0.1" });
        } finally {
            server.close();
        }
        assert.deepEqual(names, ["localhost", "other.example", false]);
    });

    it("ignores the web proxy of the environment for plain TLS", async () => {
        const { port } = await broker({});
        const environment = { HTTPS_PROXY: "http://127.0.0.1:9", ALL_PROXY: "http://127.0.0.1:9" };
        await connections.online("no-proxy", { ...secure(port, { ca: authority.cert }), environment });
    });

    it("trusts any certificate only if verification is turned off", async () => {
        const { port } = await broker({ names: ["DNS:elsewhere.example"] });
        await connections.online("unverified", secure(port, { rejectUnauthorized: false }));
    });

    it("refuses an expired certificate, with its date", async () => {
        const { port } = await broker({ days: -1 });
        const reason = await connections.reason("expired", secure(port, { ca: authority.cert }));
        assert.equal(reason.code, "GW_TLS");
        assert.match(reason.text, /certificate of localhost \(broker, issued by Plant CA\) expired on \w+ +\d+ /);
    });

    it("refuses a certificate of another host, and names the hosts it is for", async () => {
        const { port } = await broker({ names: ["DNS:elsewhere.example", "DNS:other.example"] });
        const reason = await connections.reason("wrong-host", secure(port, { ca: authority.cert }));
        assert.equal(reason.code, "GW_TLS");
        assert.match(reason.text, /was issued for another name \(elsewhere\.example, other\.example\)/);
        await connections.online("named", secure(port, { ca: authority.cert, servername: "other.example" }));
    });

    it("identifies the gateway by a client certificate alone, without user and token", async () => {
        const { port } = await broker({
            listener: ["require_certificate true", "use_identity_as_username true"],
            general: ["allow_anonymous false"],
        });
        const own = authority.issue({ commonName: "g:gw:certificate" });
        await connections.online("certificate", secure(port, { ca: authority.cert, ...own }));
    });

    it("knows until when the certificates of both ends are valid, also that of an unverified server which has expired", async () => {
        const { port } = await broker({ days: -1 });
        const own = authority.issue({ commonName: "g:gw:validity", days: 29 });
        const { connection } = await connections.online("validity", secure(port, { rejectUnauthorized: false, ...own }));
        const days = connection.certificates.map(({ whose, expiresAtMs }) => [whose, Math.round((expiresAtMs - Date.now()) / 86_400_000)]);
        assert.deepEqual(days, [
            ["server", -1],
            ["client", 29],
        ]);
        await connection.stop(1_000);
        assert.deepEqual(connection.certificates, []);
        const without = await connections.online("alone", secure(port, { rejectUnauthorized: false }));
        assert.deepEqual(
            without.connection.certificates.map(({ whose }) => whose),
            ["server"],
        );
    });

    it("says that the server requires a client certificate, or a different one", async () => {
        const { port } = await broker({ listener: ["require_certificate true"] });
        const missing = await connections.reason("missing", secure(port, { ca: authority.cert }));
        assert.equal(missing.code, "GW_TLS");
        assert.match(missing.text, /may require a client certificate/);
        const foreign = strangers.issue({ commonName: "g:gw:foreign" });
        const refused = await connections.reason("foreign", secure(port, { ca: authority.cert, ...foreign }));
        assert.equal(refused.code, "GW_TLS");
        assert.match(refused.text, /does not accept the client certificate/);
        const expired = authority.issue({ commonName: "g:gw:expired", days: -1 });
        const late = await connections.reason("expired", secure(port, { ca: authority.cert, ...expired }));
        assert.equal(late.code, "GW_TLS");
        assert.match(late.text, /does not accept the client certificate of the TLS settings \(certificate expired\)/);
    });

    it("sends both a certificate and a token, and says which of them is wrong", async () => {
        const { port } = await broker({
            listener: ["require_certificate true"],
            general: ["allow_anonymous false", "password_file {dir}/passwords"],
            files: { passwords: passwordFile({ "use-token-auth": "right" }) },
        });
        const own = authority.issue({ commonName: "g:gw:both" });
        const tls = { ca: authority.cert, ...own };
        await connections.online("both", { ...secure(port, tls), userName: "use-token-auth", password: "right" });
        const wrong = await connections.reason("both", { ...secure(port, tls), userName: "use-token-auth", password: "wrong" });
        assert.equal(wrong.code, "GW_AUTH");
    });

    it("reports certificates and keys it cannot read", async () => {
        const { port } = await broker({});
        const own = authority.issue({ commonName: "one" });
        const other = authority.issue({ commonName: "other" });
        const nonsense = await connections.reason("nonsense", secure(port, { cert: "nonsense", key: "nonsense" }));
        assert.equal(nonsense.code, "GW_TLS");
        assert.match(nonsense.text, /cannot be read/);
        const mixed = await connections.reason("mixed", secure(port, { ca: authority.cert, cert: own.cert, key: other.key }));
        assert.equal(mixed.code, "GW_TLS");
        assert.match(mixed.text, /does not belong to the client certificate/);
    });

    it("explains a TLS connection to a plain port, and a plain connection to a TLS port", async () => {
        const plain = await Mosquitto.start();
        brokers.push(plain);
        const toPlain = await connections.reason("tls-to-plain", secure(plain.port, { ca: authority.cert }));
        assert.match(toPlain.text, /does not speak TLS|before it was established/);
        const { port } = await broker({});
        const toTls = await connections.reason("plain-to-tls", { port });
        assert.equal(toTls.code, "GW_NETWORK");
        assert.match(toTls.text, /is the transport tcp right|transport tcp is wrong|reset/);
    });

    it("reconnects with all of its TLS settings after the broker was gone", async () => {
        const restarted = await broker({});
        const { connection } = await connections.online("again", secure(restarted.port, { ca: authority.cert }));
        await restarted.halt("SIGKILL");
        await waitFor(() => !connection.isOnline, "the loss");
        await restarted.resume();
        await waitFor(() => connection.isOnline, "the connection");
    });
});
