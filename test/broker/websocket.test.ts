import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import { TestAuthority } from "../support/doubles/certificates";
import { FaultyLine } from "../support/doubles/faulty-line";
import { TestWebProxy } from "../support/doubles/web-proxy";
import { WebSocketBridge } from "../support/doubles/websocket-bridge";
import { Connections } from "../support/drivers/connections";
import { Mosquitto } from "../support/drivers/mosquitto";
import { testPacket } from "../support/packets";
import { portOf } from "../support/ports";
import { waitFor } from "../support/wait-for";

describe("websockets", () => {
    const connections = new Connections();
    let authority: TestAuthority;
    let broker: Mosquitto;
    let plain: WebSocketBridge;
    let secure: WebSocketBridge;
    let proxy: TestWebProxy;

    before(async () => {
        authority = new TestAuthority("Web CA");
        broker = await Mosquitto.start();
        plain = await WebSocketBridge.to(broker.port);
        secure = await WebSocketBridge.to(broker.port, { credential: authority.issue({ commonName: "web", names: ["DNS:localhost"] }) });
    });
    beforeEach(async () => {
        proxy = await TestWebProxy.start();
    });
    afterEach(async () => {
        await connections.close();
        proxy.close();
    });
    after(async () => {
        authority.remove();
        plain.close();
        secure.close();
        await broker.stop();
    });

    const wss = (environment: Record<string, string> = {}) =>
        ({ port: secure.port, host: "localhost", transport: "wss", tls: { ca: authority.cert }, environment }) as const;

    it("carries events and messages of any size over websockets on any path", async () => {
        for (const path of ["/", "/mqtt", "a/b"]) {
            const { connection, recorder } = await connections.online("ws", { port: plain.port, transport: "ws", path });
            await connection.subscribe("bytes", 1);
            const sizes = [1, 126, 65_536, 131_072];
            for (const size of sizes) connection.publish(testPacket("bytes", 1), Buffer.alloc(size, 7), () => {});
            await waitFor(() => recorder.messages.length === sizes.length, "all messages");
            assert.deepEqual(
                recorder.messages.map(({ payload }) => payload.length),
                sizes,
            );
            await connection.stop(1_000);
        }
        await broker.logged(/Client g:org:gw:ws disconnected\./, 3);
        assert.deepEqual(plain.paths, ["/", "/mqtt", "/a/b"]);
        assert.deepEqual(plain.protocols, ["mqtt", "mqtt", "mqtt"]);
    });

    it("verifies certificates of secure websockets as plain TLS does", async () => {
        const { connection } = await connections.online("wss", wss());
        assert.equal(await connection.subscribe("a", 1), 1);
        const reason = await connections.reason("distrust", { ...wss(), tls: {} });
        assert.equal(reason.code, "GW_TLS");
        assert.match(reason.text, /certificate of localhost \(web, issued by Web CA\) is signed by an authority that is not trusted/);
        const elsewhere = await connections.reason("elsewhere", { ...wss(), host: "127.0.0.1" });
        assert.match(elsewhere.text, /issued for another name/);
    });

    it("verifies certificates behind a web proxy, with the host as server name", async () => {
        const through = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
        secure.serverNames.length = 0;
        await connections.online("named", wss(through));
        assert.deepEqual(secure.serverNames, ["localhost"]);
        const reason = await connections.reason("distrust", { ...wss(through), tls: {} });
        assert.deepEqual([reason.code, reason.cause], ["GW_TLS", "certificateUntrusted"]);
        assert.equal(proxy.tunnels.length, 2);
        secure.serverNames.length = 0;
        await connections.online("direct-name", wss());
        assert.deepEqual(secure.serverNames, ["localhost"]);
    });

    it("verifies the address, and no other name, behind a web proxy", async () => {
        const through = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
        const reason = await connections.reason("address", { ...wss(through), host: "127.0.0.1" });
        assert.deepEqual([reason.code, reason.cause], ["GW_TLS", "certificateName"]);
        const credential = authority.issue({ commonName: "address", names: ["IP:127.0.0.1"] });
        const addressed = await WebSocketBridge.to(broker.port, { credential });
        await connections.online("by-address", { ...wss(through), host: "127.0.0.1", port: addressed.port });
        assert.deepEqual(addressed.serverNames, [false]);
        addressed.close();
    });

    it("explains that a web server does not offer MQTT over websockets", async () => {
        const reason = await connections.reason("refused", { ...wss(), port: plain.port });
        assert.equal(reason.code, "GW_TLS");
        assert.match(reason.text, /does not speak TLS/);
        const closed = await connections.reason("not-web", { port: broker.port, transport: "ws" });
        assert.equal(closed.code, "GW_NETWORK");
    });

    it("hides the path in the error about an invalid host, because it may contain a secret", async () => {
        for (const host of ["256.256.256.256", "ex<ample"]) {
            const { code, cause, text } = await connections.reason("nowhere", { ...wss(), host, path: "/mqtt?token=secret" });
            assert.deepEqual([code, cause], ["GW_NETWORK", "hostNotFound"]);
            assert.match(text, /was not found/);
            assert.doesNotMatch(text, /secret/);
        }
    });

    it("sends secure websockets through the proxy of the environment, with its credentials", async () => {
        await connections.online("proxied", wss({ HTTPS_PROXY: `http://user:secret@127.0.0.1:${proxy.port}` }));
        assert.deepEqual(proxy.tunnels, [`localhost:${secure.port}`]);
        assert.deepEqual(proxy.credentials, ["user:secret"]);
    });

    it("does not use the proxy for plain websockets", async () => {
        const environment = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
        await connections.online("plain", { port: plain.port, transport: "ws", environment });
        assert.deepEqual(proxy.tunnels, []);
    });

    it("does not use the proxy for the hosts of NO_PROXY", async () => {
        await connections.online("direct", wss({ https_proxy: `http://127.0.0.1:${proxy.port}`, NO_PROXY: "example.org, localhost" }));
        assert.deepEqual(proxy.tunnels, []);
    });

    it("says that the proxy failed, without its password", async () => {
        const port = proxy.port;
        proxy.close();
        const reason = await connections.reason("no-proxy", wss({ HTTPS_PROXY: `http://user:secret@127.0.0.1:${port}` }));
        assert.equal(reason.code, "GW_NETWORK");
        assert.match(reason.text, /proxy/);
        assert.doesNotMatch(reason.text, /secret/);
        const nonsense = await connections.reason("bad-proxy", wss({ HTTPS_PROXY: "http://user:secret@:nonsense" }));
        assert.equal(nonsense.code, "GW_CONFIG");
        assert.doesNotMatch(nonsense.text, /secret/);
        const undecodable = await connections.reason("odd-proxy", wss({ HTTPS_PROXY: `http://user:%secret@127.0.0.1:${port}` }));
        assert.deepEqual([undecodable.code, undecodable.text], [nonsense.code, nonsense.text]);
    });

    it("blames the server, not the proxy, for failures behind the proxy", async () => {
        const server = createServer({ ...authority.issue({ commonName: "web", names: ["DNS:localhost"] }) }, (_request, response) => {
            response.writeHead(404).end();
        });
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        const port = portOf(server);
        const through = wss({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
        const reason = await connections.reason("not-found", { ...through, port });
        assert.match(reason.text, new RegExp(`^The connection to localhost:${port} failed: Unexpected server response: 404`));
        server.close();
        const dead = createTcpServer((socket) => socket.once("data", () => socket.resetAndDestroy())).listen(0, "127.0.0.1");
        await once(dead, "listening");
        const early = await connections.reason("reset", { ...through, port: portOf(dead) });
        assert.match(early.text, /^localhost:\d+ (closed|reset) the connection before it was established/);
        dead.close();
        const untrusted = await connections.reason("who", { ...through, tls: {} });
        assert.match(untrusted.text, /certificate of localhost \(web, issued by Web CA\)/);
    });

    it("quotes the proxy's refusal, and names the proxy if it does not answer", async () => {
        const through = wss({ HTTPS_PROXY: `http://user:secret@127.0.0.1:${proxy.port}` });
        proxy.answer = 407;
        const refused = await connections.reason("refused-by-proxy", through);
        assert.equal(
            refused.text,
            `Cannot reach localhost:${secure.port} through proxy 127.0.0.1:${proxy.port}. The proxy answered: 407 Refused.`,
        );
        proxy.answer = "silence";
        const silent = await connections.reason("silent-proxy", { ...through, connectTimeoutMs: 200 });
        assert.equal(silent.cause, "timedOut");
        assert.match(silent.text, new RegExp(`^Cannot reach localhost:${secure.port} through proxy 127.0.0.1:${proxy.port}\\. `));
        assert.doesNotMatch(silent.text, /secret/);
    });

    it("does not trust a proxy whose certificate cannot be verified", async () => {
        const disguised = await TestWebProxy.start(authority.issue({ commonName: "proxy", names: ["IP:127.0.0.1"] }));
        const reason = await connections.reason("tls-proxy", wss({ HTTPS_PROXY: `https://127.0.0.1:${disguised.port}` }));
        assert.equal(reason.code, "GW_NETWORK");
        assert.match(reason.text, /through proxy 127\.0\.0\.1:\d+\. The connection to 127\.0\.0\.1:\d+ failed: unable to verify/);
        assert.deepEqual(disguised.tunnels, []);
        disguised.close();
    });

    it("leaves no connection open at a proxy that never answers", async () => {
        proxy.answer = "silence";
        const { connection } = connections.open("leak", wss({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }));
        await waitFor(() => proxy.open === 1 && proxy.tunnels.length === 1, "the proxy to be asked");
        await connection.stop(1_000);
        await waitFor(() => proxy.open === 0, "the connection to the proxy to be closed");
    });

    it("ends a websocket within the deadline on a dead line", async () => {
        const line = await FaultyLine.to(plain.port);
        const { connection } = await connections.online("dead", { port: line.port, transport: "ws" });
        line.blackHole();
        await connection.stop(300);
        assert.equal(connection.state.phase, "closed");
        line.close();
    });
});
