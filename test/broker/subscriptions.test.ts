import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { connectAsync, type MqttClient } from "mqtt";
import type { CommandSelection, ReceivedCommand } from "../../src/gateway/inbound/command";
import { translate } from "../../src/i18n";
import type { CommandTopic } from "../../src/protocol/topic";
import { disjointFilters } from "../../src/routing/disjoint-filters";
import { TestAuthority } from "../support/doubles/certificates";
import { FakeClock } from "../support/doubles/fake-clock";
import { GatewayBench } from "../support/drivers/gateway-bench";
import { Mosquitto } from "../support/drivers/mosquitto";
import { commandSubscriber, RecordedGateway } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";
const commandTopic = ({ typeId, deviceId, commandId, format }: CommandTopic) =>
    `iot-2/type/${typeId}/id/${deviceId}/cmd/${commandId}/fmt/${format}`;

/** A listener that keeps the topics it got. */
function listen(gateway: RecordedGateway, selection: CommandSelection) {
    const topics: string[] = [];
    const { close } = gateway.gateway.onCommand(commandSubscriber(({ topic }) => topics.push(topic), { selection }));
    return { topics, close };
}

describe("routing on a server that sends a copy for each filter", () => {
    const any = { typeId: undefined, deviceId: undefined, commandId: undefined };
    const parts = fc
        .record({
            typeId: fc.constantFrom(any.typeId, "a", "b", "gw"),
            deviceId: fc.constantFrom(any.deviceId, "1", "2", "gw1"),
            commandId: fc.constantFrom(any.commandId, "x", "y"),
        })
        .map((choice) => Object.fromEntries(Object.entries(choice).filter(([, value]) => value !== undefined)));
    const selections: fc.Arbitrary<CommandSelection> = fc.oneof(
        { weight: 5, arbitrary: parts.map((chosen) => ({ target: "device" as const, parts: chosen })) },
        { weight: 1, arbitrary: fc.constant({ target: "gateway" as const, parts: {} }) },
    );
    const devices = [
        ["a", "1"],
        ["a", "2"],
        ["b", "1"],
        ["gw", "gw1"],
    ] as const;
    const commands = devices.flatMap(([typeId, deviceId]) =>
        ["x", "y"].map((commandId) => ({ typeId, deviceId, commandId, format: "json" })),
    );

    /** By the words of the contract: the parts match, and the gateway's own commands are for those who name it. */
    function wants({ target, parts: chosen }: CommandSelection, command: CommandTopic): boolean {
        const isOwn = command.typeId === "gw" && command.deviceId === "gw1";
        if (target === "gateway") return isOwn;
        if (isOwn && (chosen.typeId === undefined || chosen.deviceId === undefined)) return false;
        return Object.entries(chosen).every(([part, value]) => Reflect.get(command, part) === value);
    }

    function filterOf({ target, parts: chosen }: CommandSelection): string {
        const { typeId = "+", deviceId = "+", commandId = "+" } = target === "gateway" ? { typeId: "gw", deviceId: "gw1" } : chosen;
        return commandTopic({ typeId, deviceId, commandId, format: "+" });
    }

    it("delivers each command once to each listener, whatever their filters, and never subscribes overlapping filters", async () => {
        const bench = await GatewayBench.start();
        try {
            const gateway = await bench.gateway();
            const held = () =>
                [...(bench.simulator.organisation("org").sessions.get(clientId)?.subscriptions.keys() ?? [])]
                    .filter((filter) => filter.includes("/cmd/"))
                    .sort();
            await fc.assert(
                fc.asyncProperty(fc.array(selections, { minLength: 1, maxLength: 6 }), fc.nat(5), async (chosen, kept) => {
                    const listeners = chosen.map((selection) => ({ selection, ...listen(gateway, selection) }));
                    for (const those of [listeners, listeners.slice(0, kept)]) {
                        for (const { close, topics } of listeners) {
                            topics.length = 0;
                            if (those.every((other) => other.close !== close)) close();
                        }
                        const wanted = disjointFilters(new Map(those.map(({ selection }) => [filterOf(selection), 1])));
                        const expected = [...wanted.keys()].sort().join();
                        await waitFor(() => held().join() === expected, `the platform to hold ${expected}`);
                        for (const command of commands) {
                            const copies = bench.simulator.publish("org", commandTopic(command), "{}", 1);
                            assert.ok(copies <= 1, `${copies} copies of ${commandTopic(command)} with ${expected}`);
                        }
                        for (const { selection, topics } of those) {
                            const due = commands.filter((command) => wants(selection, command)).map(commandTopic);
                            await waitFor(() => topics.length >= due.length, `${due} for ${JSON.stringify(selection)}`);
                        }
                        // What a listener gets twice it gets at once.
                        await waitFor(
                            () => bench.simulator.organisation("org").sessions.get(clientId)?.unacknowledged === 0,
                            "all of them",
                        );
                        for (const { selection, topics } of those) {
                            const due = commands.filter((command) => wants(selection, command)).map(commandTopic);
                            assert.deepEqual([...topics].sort(), due.sort());
                        }
                    }
                    for (const { close } of listeners) close();
                }),
                { numRuns: 40 },
            );
        } finally {
            await bench.close();
        }
    });
});

describe("commands of a clean session", () => {
    it("receives commands again after each new connection of a clean session", async () => {
        const bench = await GatewayBench.start();
        try {
            const gateway = await bench.gateway();
            const { topics } = listen(gateway, { target: "device", parts: {} });
            const topic = commandTopic({ typeId: "t", deviceId: "d", commandId: "c", format: "json" });
            for (let connection = 1; connection <= 3; connection++) {
                await waitFor(() => bench.simulator.publish("org", topic, "{}", 1) === 1, "the subscription");
                await waitFor(() => topics.length === connection, "the command");
                bench.simulator.cut(clientId);
            }
        } finally {
            await bench.close();
        }
    });

    it("acknowledges commands that arrive during a deploy only when the flow has them, each once and in order", async () => {
        const bench = await GatewayBench.start();
        try {
            const gateway = await bench.gateway();
            const { topics } = listen(gateway, { target: "device", parts: {} });
            const session = () => bench.simulator.organisation("org").sessions.get(clientId);
            await waitFor(() => (session()?.subscriptions.size ?? 0) === 2, "the subscription");
            gateway.gateway.flowsStopping();
            const sent = Array.from({ length: 50 }, (_, i) =>
                commandTopic({ typeId: "t", deviceId: "d", commandId: `c${i}`, format: "json" }),
            );
            for (const topic of sent) bench.simulator.publish("org", topic, "{}", 1);
            // An event that is acknowledged shows that what was sent before it has been received.
            gateway.publish("d", 1);
            await waitFor(() => bench.delivered.has("d"), "an event sent meanwhile");
            assert.deepEqual([topics.length, session()?.unacknowledged], [0, 50]);
            gateway.gateway.flowsStarted();
            await waitFor(() => session()?.unacknowledged === 0, "the acknowledgements");
            assert.deepEqual(topics, sent);
        } finally {
            await bench.close();
        }
    });
});

describe("commands on a server that keeps the messages of a filter for a while, and loses them with the filter", () => {
    it("miss no node that stays, over 24 deploys at 50 commands a second", async () => {
        const clock = new FakeClock();
        const bench = await GatewayBench.start({ clock, deliveryDelayMs: 100 });
        let isClosed = false;
        /** Lets 20 ms pass, and everything that is on its way arrive. */
        const pass = async () => {
            clock.advance(20);
            for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
        };
        try {
            const gateway = await bench.gateway({ clock });
            const session = () => bench.simulator.organisation("org").sessions.get(clientId);
            const filters = () => [...(session()?.subscriptions.keys() ?? [])].filter((filter) => filter.includes("/cmd/")).join();
            const staying = listen(gateway, { target: "device", parts: { typeId: "t", deviceId: "d" } });
            const isSubscribed = () => filters() === "iot-2/type/t/id/d/cmd/+/fmt/+";
            await waitFor(() => pass().then(isSubscribed), "the filter of the node that stays");
            const changes = new Set<string>();
            const sent: string[] = [];
            let other: { close(): void } | undefined;
            for (let deploy = 0; deploy < 24; deploy++) {
                gateway.gateway.flowsStopping();
                other?.close();
                other = other ? undefined : listen(gateway, { target: "device", parts: deploy % 4 < 2 ? {} : { typeId: "t" } });
                gateway.gateway.flowsStarted();
                for (let command = 0; command < 25; command++) {
                    const topic = commandTopic({ typeId: "t", deviceId: "d", commandId: `c${sent.length}`, format: "json" });
                    bench.simulator.publish("org", topic, "{}", 1);
                    sent.push(topic);
                    await pass();
                    changes.add(filters());
                }
            }
            await waitFor(() => pass().then(() => new Set(staying.topics).size === sent.length), "every command");
            assert.ok(changes.has("iot-2/type/+/id/+/cmd/+/fmt/+") && changes.has("iot-2/type/t/id/+/cmd/+/fmt/+"), [...changes].join(" "));
        } finally {
            const closed = bench.close().finally(() => {
                isClosed = true;
            });
            while (!isClosed) await pass();
            await closed;
        }
    });
});

describe("commands of a durable session", () => {
    it("hands a command over once that waits for the flows while the line is cut, and acknowledges it on the next connection", async () => {
        const bench = await GatewayBench.start();
        try {
            const gateway = await bench.gateway({ cleanSession: "false" });
            const received: ReceivedCommand[] = [];
            gateway.gateway.onCommand(commandSubscriber((command) => received.push(command)));
            const session = () => bench.simulator.organisation("org").sessions.get(clientId);
            await waitFor(() => session()?.subscriptions.size === 2, "the subscription");
            gateway.gateway.flowsStopping();
            bench.simulator.publish("org", commandTopic({ typeId: "t", deviceId: "d", commandId: "c", format: "json" }), "{}", 1);
            gateway.publish("d", 1);
            await waitFor(() => bench.delivered.has("d"), "an event that shows that the command has been received");
            bench.simulator.cut(clientId);
            await waitFor(() => bench.simulator.observed.counts(clientId).connect === 2, "the next connection");
            gateway.gateway.flowsStarted();
            await waitFor(() => session()?.unacknowledged === 0, "the acknowledgement");
            assert.deepEqual(
                received.map(({ commandId }) => commandId),
                ["c"],
            );
        } finally {
            await bench.close();
        }
    });
});

describe("subscriptions on Mosquitto", () => {
    const userDirs: string[] = [];
    const gateways: RecordedGateway[] = [];
    let authority: TestAuthority;
    let broker: Mosquitto;
    let secure: Mosquitto;
    let application: MqttClient;

    before(async () => {
        authority = new TestAuthority("Plant CA");
        const { cert, key } = authority.issue({ commonName: "broker", names: ["DNS:localhost"] });
        broker = await Mosquitto.start();
        secure = await Mosquitto.start({
            listener: ["certfile {dir}/server.crt", "keyfile {dir}/server.key"],
            files: { "server.crt": cert, "server.key": key },
        });
    });

    afterEach(async () => {
        for (const { gateway } of gateways.splice(0)) await gateway.close(3_000);
        await application?.endAsync();
        for (const userDir of userDirs.splice(0)) rmSync(userDir, { recursive: true, force: true });
    });

    after(async () => {
        await broker?.stop();
        await secure?.stop();
        authority?.remove();
    });

    const device = (typeId: string, deviceId: string): CommandSelection => ({ target: "device", parts: { typeId, deviceId } });
    const topicFor = (typeId: string, deviceId: string) => commandTopic({ typeId, deviceId, commandId: "go", format: "json" });

    function create(port: number, properties: Record<string, unknown>): RecordedGateway {
        const gateway = new RecordedGateway(port, properties);
        gateways.push(gateway);
        return gateway;
    }

    it("unsubscribes after a restart from filters of a durable session that no flow needs any more", async () => {
        const userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-ghosts-"));
        userDirs.push(userDir);
        const properties = { userDir, outbox: "disk", cleanSession: false };
        application = await connectAsync(`mqtt://127.0.0.1:${broker.port}`);
        const before = create(broker.port, properties);
        for (const deviceId of ["kept", "ghost"]) listen(before, device("t", deviceId));
        before.gateway.start();
        await broker.logged(/: g:org:gw:gw1 1 iot-2\/type\/t\/id\/(kept|ghost)\//, 2);
        await before.gateway.close(3_000);
        await application.publishAsync(topicFor("t", "kept"), "{}", { qos: 1 });

        const after = create(broker.port, properties);
        const kept = listen(after, device("t", "kept"));
        after.gateway.start();
        await broker.logged(/Received UNSUBSCRIBE from g:org:gw:gw1/);
        await waitFor(() => kept.topics.length === 1, "the command that was queued");
        const sent = broker.count(/Sending PUBLISH to g:org:gw:gw1/);
        for (const deviceId of ["ghost", "kept"]) await application.publishAsync(topicFor("t", deviceId), "{}", { qos: 1 });
        await waitFor(() => kept.topics.length === 2, "the command that is still wanted");
        await broker.logged(/Sending PUBLISH to g:org:gw:gw1/, sent + 1);
        assert.equal(broker.count(/Sending PUBLISH to g:org:gw:gw1/), sent + 1);
    });

    it("joins filters beyond Maximo's fifty within a type, with one warning, and loses no command", async () => {
        const gateway = create(secure.port, {
            platform: "maximo",
            host: "localhost",
            transport: "tls",
            tls: { ca: authority.cert },
        });
        const many = Array.from({ length: 60 }, (_, index) => ({ id: `d${index}`, ...listen(gateway, device("many", `d${index}`)) }));
        const few = Array.from({ length: 3 }, (_, index) => ({ id: `d${index}`, ...listen(gateway, device("few", `d${index}`)) }));
        gateway.gateway.start();
        await secure.logged(/: g:org:gw:gw1 1 iot-2\/type\/many\/id\/\+\/cmd\/\+\/fmt\/\+/);
        await secure.logged(/: g:org:gw:gw1 1 iot-2\/type\/few\/id\/d[012]\/cmd\/\+\/fmt\/\+/, 3);
        assert.ok(secure.count(/Received SUBSCRIBE from g:org:gw:gw1/) <= 50);
        assert.deepEqual(
            gateway.warnings.filter((text) => text.includes("subscriptions")),
            [translate("gateway.filtersJoined", { needed: 63, allowed: 49 })],
        );
        application = await connectAsync(`mqtts://localhost:${secure.port}`, { ca: authority.cert });
        const listeners = [...many.map((each) => ({ typeId: "many", ...each })), ...few.map((each) => ({ typeId: "few", ...each }))];
        for (const { typeId, id } of listeners) await application.publishAsync(topicFor(typeId, id), "{}", { qos: 1 });
        await waitFor(() => listeners.every(({ topics }) => topics.length > 0), "a command for each device");
        for (const { typeId, id, topics } of listeners) assert.deepEqual(topics, [topicFor(typeId, id)]);
    });
});
