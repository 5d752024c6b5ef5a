import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { type IConnectPacket, type Packet, parser } from "mqtt-packet";
import { eventNode, gatewayNode, Inbox, load, node, observers, withRuntime } from "../support/drivers/flow-runner";
import { freePort, portOf } from "../support/ports";
import { codeOf, errorTextOf } from "../support/records";
import { secretToken } from "../support/secrets";

/** What a gateway with these properties says first to the server it is to connect to. */
async function connectOf(properties: Record<string, unknown>, credentials: Record<string, string> = {}): Promise<IConnectPacket> {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
        const accepted = once(server, "connection");
        const port = portOf(server);
        await load([gatewayNode(port, properties), eventNode(), ...observers], { gateway: credentials });
        const [socket]: net.Socket[] = await accepted;
        assert.ok(socket);
        const packets = parser();
        const first = once(packets, "packet");
        socket.on("data", (bytes: Buffer) => packets.parse(bytes)).on("error", () => undefined);
        const [packet]: Packet[] = await first;
        socket.destroy();
        assert.ok(packet?.cmd === "connect");
        return packet;
    } finally {
        server.close();
    }
}

describe("the settings of a gateway-config", () => {
    withRuntime();

    it("a gateway without optional settings connects with MQTT 3.1.1, a clean session, 60 s keep-alive, user and token, and no last will", async () => {
        const { protocolId, protocolVersion, clientId, clean, keepalive, username, password, will } = await connectOf(
            {},
            { token: secretToken },
        );
        assert.deepEqual([protocolId, protocolVersion, clientId, clean, keepalive], ["MQTT", 4, "g:org:gw:gw1", true, 60]);
        assert.deepEqual([username, String(password), will], ["use-token-auth", secretToken, undefined]);
    });

    it("settings and environment variables choose session, keep-alive and last will; without a token there is no user", async () => {
        Object.assign(process.env, { TEST_CLEAN: "false", TEST_KEEP_ALIVE: "30", TEST_WILL: "gone" });
        const properties = { cleanSession: "${TEST_CLEAN}", keepAlive: "${TEST_KEEP_ALIVE}", will: "${TEST_WILL}" };
        const { clean, keepalive, username, password, will } = await connectOf(properties);
        assert.deepEqual([clean, keepalive, username, password], [false, 30, undefined, undefined]);
        const { topic, payload, qos, retain } = will ?? {};
        assert.deepEqual([topic, String(payload), qos, retain], ["iot-2/type/gw/id/gw1/evt/gone/fmt/text", "offline", 1, false]);
    });

    /** A gateway that reaches nobody, and five events for a device. */
    async function fill(properties: Record<string, unknown>, bytes = 400): Promise<Inbox> {
        await load([gatewayNode(await freePort(), properties), eventNode({ format: "text" }), ...observers]);
        const caught = new Inbox("caught");
        for (const _msgid of ["1", "2", "3", "4", "5"]) {
            node("event").receive({ _msgid, typeId: "pump", deviceId: "p1", payload: _msgid.repeat(bytes) });
        }
        return caught;
    }
    /** The limit in MB that takes two of these events, and not three. */
    const twoEvents = { outboxMaxMb: String(1000 / 1_048_576).slice(0, 10), outboxReserve: "0" };

    it("several variables within one setting, or within the token, get their values", async () => {
        Object.assign(process.env, {
            TEST_LINE: "line4",
            TEST_UNIT: "7",
            TEST_START: secretToken.slice(0, 9),
            TEST_END: secretToken.slice(9),
        });
        const properties = { host: "${TEST_NET}.0.1", deviceId: "${TEST_LINE}-${TEST_UNIT}", will: "lost-${TEST_UNIT}" };
        process.env.TEST_NET = "127.0";
        const { clientId, password, will } = await connectOf(properties, { token: "${TEST_START}${TEST_END}" });
        assert.equal(clientId, "g:org:gw:line4-7");
        assert.equal(will?.topic, "iot-2/type/gw/id/line4-7/evt/lost-7/fmt/text");
        assert.equal(String(password), secretToken);
    });

    for (const [where, properties, token] of [
        ["an id", { deviceId: "${TEST_LINE}-${TEST_UNSET}" }, ""],
        ["the host", { host: "${TEST_UNSET}.example.com" }, ""],
        ["the token", {}, "${TEST_LINE}-${TEST_UNSET}"],
    ] as const) {
        it(`one of several variables in ${where} that is not set is GW_CONFIG with its name`, async () => {
            process.env.TEST_LINE = "line4";
            await load([gatewayNode(1, properties), eventNode(), ...observers], { gateway: { token } });
            const caught = new Inbox("caught");
            node("event").receive({ typeId: "pump", deviceId: "1", payload: 1 });
            const error = await caught.next();
            assert.equal(codeOf(error), "GW_CONFIG");
            assert.match(errorTextOf(error), /environment variable TEST_UNSET\b/);
        });
    }

    it("a full outbox of the configured size rejects new events", async () => {
        const caught = await fill(twoEvents);
        for (const id of ["3", "4", "5"]) assert.equal(codeOf(await caught.next(({ _msgid }) => _msgid === id)), "GW_OUTBOX_FULL");
        assert.deepEqual(
            caught.messages.filter((message) => codeOf(message) === "GW_OUTBOX_FULL").map(({ _msgid }) => _msgid),
            ["3", "4", "5"],
        );
    });

    it("the error of a full outbox names its size and the configured limit", async () => {
        const caught = await fill({ outboxMaxMb: "0.25", outboxReserve: "0" }, 131_000);
        const message = await caught.next((each) => codeOf(each) === "GW_OUTBOX_FULL");
        assert.match(errorTextOf(message), /it holds 0\.25 MB of at most 0\.25 MB \(events: 2;/);
    });

    it("the configured reserve of the outbox is for events of high priority only", async () => {
        const caught = await fill({ ...twoEvents, outboxReserve: "50" });
        for (const id of ["2", "3", "4", "5"])
            await caught.next((message) => message._msgid === id && codeOf(message) === "GW_OUTBOX_FULL");
        assert.match(errorTextOf(Object(caught.messages[0])), /last 50 % are kept for events of high priority/);
    });

    it("events of high priority use the configured reserve of the outbox", async () => {
        await load([gatewayNode(await freePort(), { ...twoEvents, outboxReserve: "50" }), eventNode({ priority: "" }), ...observers]);
        const refused = new Inbox("caught");
        for (const [_msgid, priority] of Object.entries({ 1: "normal", 2: "high", 3: "normal", 4: "high" })) {
            node("event").receive({ _msgid, typeId: "pump", deviceId: "p1", payload: "x".repeat(400), priority });
        }
        await refused.next((message) => message._msgid === "4" && codeOf(message) === "GW_OUTBOX_FULL");
        assert.deepEqual(
            refused.messages.filter((message) => codeOf(message) === "GW_OUTBOX_FULL").map(({ _msgid }) => _msgid),
            ["3", "4"],
        );
    });

    it("a full outbox drops the oldest events if the settings say so", async () => {
        const caught = await fill({ ...twoEvents, outboxFull: "drop-oldest" });
        for (const id of ["1", "2", "3"]) assert.equal(codeOf(await caught.next(({ _msgid }) => _msgid === id)), "GW_OUTBOX_FULL");
        assert.deepEqual(
            caught.messages.filter((message) => codeOf(message) === "GW_OUTBOX_FULL").map(({ _msgid }) => _msgid),
            ["1", "2", "3"],
        );
    });

    it("an event expires after the configured hours if neither node nor message sets a time to live", async () => {
        const caught = await fill({ outboxMaxAge: "0.0003" });
        for (const id of ["1", "5"]) assert.equal(codeOf(await caught.next(({ _msgid }) => _msgid === id)), "GW_EXPIRED");
    });
});
