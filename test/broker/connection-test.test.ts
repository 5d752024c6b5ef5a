import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createTcpServer, type Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { testConnect, testEndpoint } from "../../src/connection/connection-test";
import type { TransportOptions } from "../../src/connection/transport";
import { type Credential, TestAuthority } from "../support/doubles/certificates";
import { FastClock } from "../support/doubles/fast-clock";
import { TestWebProxy } from "../support/doubles/web-proxy";
import { portOf } from "../support/ports";

describe("the connection test", () => {
    const servers: Server[] = [];
    let authority: TestAuthority;

    before(() => {
        authority = new TestAuthority("Plant CA");
    });
    afterEach(async () => {
        await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
    });
    after(() => authority.remove());

    async function listen(server: Server): Promise<number> {
        servers.push(server);
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        return portOf(server);
    }

    /** A server that completes the TLS handshake and then says nothing. */
    function secure({ cert, key }: Credential): Promise<number> {
        return listen(createTlsServer({ cert, key }, (socket) => socket.on("error", () => undefined)));
    }

    const options = (port: number, tls: TransportOptions["tls"] = { ca: authority.cert }): TransportOptions => ({
        host: "localhost",
        port,
        transport: "tls",
        path: "/",
        tls,
        clientId: "g:org:gw:gw1",
        keepAliveS: 60,
        cleanSession: true,
    });

    async function found(of: TransportOptions): Promise<{ keys: string[]; words: string }> {
        const steps = await testEndpoint(of);
        return { keys: steps.map(({ key }) => key), words: JSON.stringify(steps) };
    }

    it("looks up the name, connects, and shows the certificate with its expiry date", async () => {
        const port = await secure(authority.issue({ commonName: "broker", names: ["DNS:localhost"], days: 90 }));
        const { keys, words } = await found(options(port));
        assert.deepEqual(keys, ["dns", "tcp", "tls"]);
        assert.match(words, /"subject":"broker","issuer":"Plant CA","validTo":"[^"]+ GMT"/);
    });

    it("uses the web proxy of the environment, as the gateway's connection does", async () => {
        const port = await secure(authority.issue({ commonName: "broker", names: ["DNS:nowhere.invalid"], days: 90 }));
        const proxy = await TestWebProxy.start();
        const environment = { https_proxy: `http://user:secret@127.0.0.1:${proxy.port}` };
        const behind = { ...options(port), host: "nowhere.invalid", transport: "wss", environment } as const;
        assert.deepEqual((await found(behind)).keys, ["tcp", "tls"]);
        assert.deepEqual((await found({ ...behind, tls: {} })).keys, ["tcp", "tlsFailed"]);
        assert.deepEqual(proxy.tunnels, [`nowhere.invalid:${port}`, `nowhere.invalid:${port}`]);
        proxy.answer = 407;
        const refused = await found(behind);
        assert.deepEqual(refused.keys, ["tcpFailed"]);
        assert.match(refused.words, /through proxy 127\.0\.0\.1:\d+\. The proxy answered: 407 Refused\./);
        assert.doesNotMatch(refused.words, /secret/);
        proxy.close();
        const nonsense = await found({ ...behind, environment: { https_proxy: "socks5://user:secret@proxy:1080" } });
        assert.deepEqual(nonsense.keys, ["failed"]);
        assert.match(nonsense.words, /must look like/);
        assert.doesNotMatch(nonsense.words, /secret/);
    });

    it("warns of a certificate that expires within a month", async () => {
        const port = await secure(authority.issue({ commonName: "broker", names: ["DNS:localhost"], days: 20 }));
        assert.deepEqual((await found(options(port))).keys, ["dns", "tcp", "tls", "tlsSoon"]);
    });

    it("says whether the authority, the dates or the name of a certificate are wrong", async () => {
        const trusted = await secure(authority.issue({ commonName: "broker", names: ["DNS:localhost"] }));
        const expired = await secure(authority.issue({ commonName: "broker", names: ["DNS:localhost"], days: -1 }));
        const other = await secure(authority.issue({ commonName: "broker", names: ["DNS:elsewhere.example"] }));
        for (const [of, words] of [
            [options(trusted, {}), /signed by an authority that is not trusted/],
            [options(expired), /expired/],
            [options(other), /elsewhere\.example/],
            [options(trusted, { ca: "nonsense", cert: "nonsense", key: "nonsense" }), /cannot be read/],
        ] as const) {
            const outcome = await found(of);
            assert.deepEqual(outcome.keys, ["dns", "tcp", "tlsFailed"]);
            assert.match(outcome.words, words);
        }
    });

    it("says that no certificate was verified if the settings turn verification off", async () => {
        const port = await secure(authority.issue({ commonName: "broker", names: ["DNS:elsewhere.example"], days: 90 }));
        assert.deepEqual((await found(options(port, { rejectUnauthorized: false }))).keys, ["dns", "tcp", "tlsUnverified"]);
    });

    it("explains each failed step in a sentence", async () => {
        const closed = await listen(createTcpServer());
        await new Promise((resolve) => servers.pop()?.close(resolve));
        assert.match((await found(options(closed))).words, /nothing listens on that port, or a firewall rejects it/);
        const nowhere = { ...options(1), host: "does-not-exist.invalid" };
        assert.match((await found(nowhere)).words, /The host name does-not-exist\.invalid (was not found|could not be looked up)/);
        const plain = await listen(
            createTcpServer((socket) =>
                socket
                    .on("error", () => undefined)
                    .resume()
                    .end("220 mail\r\n"),
            ),
        );
        const outcome = await found(options(plain));
        assert.deepEqual(outcome.keys, ["dns", "tcp", "tlsFailed"]);
    });

    it("gives a server that accepts the connection but never answers eight seconds for each step", async () => {
        const clock = new FastClock(50);
        const mute = await listen(createTcpServer((socket) => socket.on("error", () => undefined).resume()));
        const steps = await testEndpoint(options(mute), { clock });
        assert.deepEqual(
            steps.map(({ key }) => key),
            ["dns", "tcp", "tlsFailed"],
        );
        assert.equal(steps.at(-1)?.parameters?.reason, "No answer within 8 s.");
        const step = await testConnect({ ...options(mute), transport: "tcp" }, { clock });
        assert.equal(step.key, "failed");
        assert.match(String(step.parameters?.reason), /did not answer the MQTT CONNECT within 8 s/);
        assert.equal(clock.timerCount, 0);
    });

    it("sends neither a last will nor an acknowledgement, whatever the server sends", async () => {
        const received: Buffer[] = [];
        const port = await listen(
            createTcpServer((socket) => {
                socket.on("error", () => undefined);
                socket.on("data", (chunk: Buffer) => {
                    received.push(chunk);
                    // CONNACK, and at once a QoS 1 message that waited for this client: topic "a", packet id 1.
                    if (received.length === 1) socket.write(Buffer.from([0x20, 2, 0, 0, 0x32, 6, 0, 1, 0x61, 0, 1, 0x78]));
                });
            }),
        );
        const ended = once(servers[0] ?? createTcpServer(), "connection").then(([socket]) => once(socket, "close"));
        const step = await testConnect({
            ...options(port),
            host: "127.0.0.1",
            transport: "tcp",
            will: { topic: "will", payload: "offline", qos: 0 },
        });
        assert.equal(step.key, "accepted");
        await ended;
        const bytes = Buffer.concat(received);
        assert.equal(bytes.includes("offline"), false);
        // CONNECT, its length, and after it nothing but DISCONNECT: no PUBACK.
        assert.deepEqual([...bytes.subarray(2 + (bytes[1] ?? 0))], [0xe0, 0]);
    });
});
