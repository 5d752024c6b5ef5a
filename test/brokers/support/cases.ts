import assert from "node:assert/strict";
import { connectAsync } from "mqtt";
import { commandSubscriber, type EventChoice } from "../../support/drivers/recorded-gateway";
import { waitFor } from "../../support/wait-for";
import { gatewayUser, type TestBed } from "./test-bed";

/**
 * What is tested with each broker: what the gateway guarantees with every broker is asserted, and what a broker can or cannot do is returned.
 * The rows of docs/brokers.md are these, in this order.
 */
export const cases: readonly BrokerCase[] = [
    { name: "a wrong token", observe: wrongToken },
    { name: "events of QoS 0", observe: (bed) => offer(bed, { qos: 0 }) },
    { name: "events of QoS 1", observe: (bed) => offer(bed, { qos: 1 }) },
    { name: "events of QoS 2", observe: qos2 },
    { name: "200 events of QoS 2 at once", observe: manyOfQos2 },
    { name: "a dot in an id", observe: (bed) => offer(bed, { deviceId: "pump.1" }) },
    { name: "a blank in an event id", observe: (bed) => offer(bed, { eventId: "two words" }) },
    { name: "an asterisk in an event id", observe: (bed) => offer(bed, { eventId: "a*b" }) },
    { name: "an event of 131072 bytes", observe: (bed) => offer(bed, { payload: "x".repeat(131_072) }) },
    { name: "20 000 events of 20 devices", observe: inOrder },
    { name: "commands for overlapping filters", observe: overlappingFilters },
    { name: "commands while the gateway is away", observe: durableSession },
    { name: "a cut link", observe: cutLink },
    { name: "a kill under load", observe: killUnderLoad },
    { name: "a kill while the receiver is away", observe: killWhileAway },
    { name: "the last will", observe: lastWill },
    { name: "a second client with the same id", observe: takenOver },
    { name: "a topic that is denied", observe: (bed) => offer(bed, { typeId: "denied" }) },
    { name: "a subscription that is denied", observe: deniedSubscription },
];

export interface BrokerCase {
    readonly name: string;
    observe(bed: TestBed): Promise<string>;
}

/** What brokers do in more than one case. */
export const answers = {
    yes: "yes",
    closes: "closes the connection",
    drops: "acknowledges it and drops it",
    asQos1: "as QoS 1",
    keeps: "keeps what it acknowledged",
    loses: "loses events that it acknowledged",
    mayLose: "may lose events that it acknowledged",
} as const satisfies Record<string, string>;

const { yes, closes, drops, asQos1, keeps, loses } = answers;

async function wrongToken(bed: TestBed): Promise<string> {
    const { broker } = bed;
    const error: unknown = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, {
        clientId: "g:org:gw:wrong",
        username: gatewayUser.name,
        password: "wrong",
        reconnectPeriod: 0,
    }).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Error && "code" in error, String(error));
    return `CONNACK ${String(error.code)}`;
}

/** Sends an event of one device and others of other devices. Whatever becomes of it, the others arrive. */
async function offer(bed: TestBed, { deviceId = "probe", ...choice }: EventChoice & { deviceId?: string }): Promise<string> {
    const application = await bed.application();
    const { gateway, line } = await bed.gateway({ clock: bed.clock });
    // Events of QoS 0 do not wait: they can be sent once the first event of another QoS has been.
    await gateway.outcome(gateway.publish("first"));
    const probe = { typeId: "t", eventId: "e", payload: "1", ...choice };
    const messageId = gateway.publish(deviceId, 1, probe);
    for (let value = 0; value < 20; value++) gateway.publish(`other${value}`, value);
    const arrived = (device: string) => application.numbersOf(device).length > 0;
    const others = Array.from({ length: 20 }, (_, value) => `other${value}`);
    await waitFor(() => others.every(arrived), "the events of the other devices");
    await waitFor(() => line.accepted > 1 || gateway.outcomes.has(messageId), "an answer to the event");
    // What comes after the answer shows whether the event arrives, and whether the connection lasts.
    gateway.publish("marker", 1);
    await waitFor(() => arrived("marker"), "the event after it");
    if (line.accepted > 1) return closes;
    assert.equal(gateway.outcomes.get(messageId), "done");
    const known = ["first", "marker", ...others];
    const found = application.received.find(({ topic }) => !known.includes(topic.split("/")[4] ?? ""));
    if (!found) return drops;
    assert.equal(found.payload.toString(), probe.payload);
    const topic = `iot-2/type/${probe.typeId}/id/${deviceId}/evt/${probe.eventId}/fmt/json`;
    return found.topic === topic ? yes : `arrives as ${changedCharacters(topic, found.topic)}`;
}

/** The characters that a broker put in place of others. */
function changedCharacters(sent: string, received: string): string {
    return [...received]
        .filter((character, index) => character !== sent[index])
        .map((character) => `\`${character}\``)
        .join(" ");
}

async function qos2(bed: TestBed): Promise<string> {
    const observed = await offer(bed, { qos: 2 });
    if (observed !== yes) return observed;
    const client = await connectAsync(`mqtt://127.0.0.1:${bed.broker.port}`, {
        clientId: "g:org:gw:qos2",
        username: gatewayUser.name,
        password: gatewayUser.password,
        reconnectPeriod: 0,
    });
    const answers: string[] = [];
    client.on("packetreceive", ({ cmd }) => answers.push(cmd));
    await client.publishAsync("iot-2/type/t/id/probe/evt/e/fmt/json", "1", { qos: 2 });
    await client.endAsync(true);
    return answers.includes("pubrec") ? yes : asQos1;
}

async function manyOfQos2(bed: TestBed): Promise<string> {
    const application = await bed.application();
    const { gateway, line } = await bed.gateway({ clock: bed.clock });
    for (let value = 0; value < 200; value++) gateway.publish(`d${value % 5}`, value, { qos: 2 });
    await waitFor(() => gateway.outcomes.size === 200 || line.accepted > 1, "the answers");
    if (line.accepted > 1) return closes;
    assert.deepEqual(new Set(gateway.endings), new Set(["done"]));
    const values = () => new Set(application.received.map(({ payload }) => Number(payload.toString())));
    await waitFor(() => values().size === 200, "every event that was reported done");
    return yes;
}

async function inOrder(bed: TestBed): Promise<string> {
    const application = await bed.application();
    const { gateway } = await bed.gateway();
    const devices = Array.from({ length: 20 }, (_, index) => `ordered${index}`);
    for (let value = 0; value < 1000; value++) {
        for (const device of devices) gateway.publish(device, value);
        // Neither the outbox in memory nor what a broker keeps for a receiver holds all of them.
        const ended = () => Math.min(gateway.outcomes.size, application.received.length);
        await waitFor(() => value * devices.length - ended() < 500, "some events to arrive");
    }
    await waitFor(() => gateway.outcomes.size === 20_000, "every event to be done");
    await waitFor(() => application.received.length >= 20_000, "every event to arrive");
    const expected = Array.from({ length: 1000 }, (_, value) => value);
    for (const device of devices) assert.deepEqual(application.numbersOf(device), expected, device);
    assert.equal(gateway.endings.length, 20_000, "an event ended twice");
    return "in order";
}

async function overlappingFilters(bed: TestBed): Promise<string> {
    const application = await bed.application();
    const { gateway } = await bed.gateway();
    const received: string[] = [];
    const subscribe = (node: string, parts: { deviceId?: string; commandId?: string }) => {
        const selection = { target: "device", parts: { typeId: "t", ...parts } } as const;
        gateway.gateway.onCommand(commandSubscriber((command) => received.push(`${node} ${command.payload}`), { selection }));
    };
    subscribe("all", {});
    subscribe("device", { deviceId: "a" });
    subscribe("command", { commandId: "stop" });
    await application.sendUntil("ready", () => received.length > 0);
    for (const [payload, deviceId, commandId] of [
        ["1", "a", "start"],
        ["2", "a", "stop"],
        ["3", "b", "stop"],
        ["4", "b", "start"],
    ] as const) {
        await application.command(payload, { deviceId, commandId });
    }
    await waitFor(() => received.includes("all 4"), "the last command");
    const commands = received.filter((line) => !line.endsWith(" ready")).sort();
    assert.deepEqual(commands, ["all 1", "all 2", "all 3", "all 4", "command 2", "command 3", "device 1", "device 2"]);
    return "once for each node";
}

async function durableSession(bed: TestBed): Promise<string> {
    const application = await bed.application();
    const { gateway, line } = await bed.gateway({ cleanSession: false, will: "gone", clock: bed.clock });
    const received: string[] = [];
    const selection = { target: "device", parts: { typeId: "t" } } as const;
    gateway.gateway.onCommand(commandSubscriber((command) => received.push(String(command.payload)), { selection }));
    await application.sendUntil("ready", () => received.length > 0);
    line.refuse();
    line.reset();
    await waitFor(() => !gateway.isOnline, "the end of the connection");
    // The last will shows that the broker has noticed it too. ActiveMQ does not send it every time.
    await waitFor(() => application.received.length > 0, "the last will", 5_000).catch(() => undefined);
    for (let value = 0; value < 10; value++) await application.command(String(value));
    await line.accept();
    await waitFor(() => gateway.isOnline, "the connection");
    await application.sendUntil("after", () => received.includes("after"));
    const numbers = [...new Set(received)].filter((payload) => /^\d$/.test(payload));
    if (numbers.length === 0) return "lost";
    assert.deepEqual(numbers, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    return "kept";
}

async function cutLink(bed: TestBed): Promise<string> {
    const application = await bed.application();
    const { gateway, line } = await bed.gateway({ clock: bed.clock });
    for (let round = 0; round < 3; round++) {
        await waitFor(() => gateway.isOnline, "the connection");
        const passedBytes = line.passedBytes;
        for (let value = 0; value < 1000; value++) gateway.publish(`d${value % 10}`, round * 1000 + value);
        await waitFor(() => line.passedBytes > passedBytes + 10_000, "some events on their way");
        line.reset();
        await waitFor(() => !gateway.isOnline, "the end of the connection");
    }
    await waitFor(() => gateway.outcomes.size === 3000, "every event to be done");
    assert.deepEqual(new Set(gateway.endings), new Set(["done"]));
    await waitFor(() => application.numbers().size === 3000, "every event to arrive");
    return "nothing is lost";
}

async function killUnderLoad(bed: TestBed): Promise<string> {
    const application = await bed.application({ durable: true });
    const { gateway, line } = await bed.gateway({ clock: bed.clock });
    const total = 3000;
    for (let value = 0; value < total; value++) gateway.publish(`d${value % 10}`, value, { messageId: String(value) });
    await waitFor(() => gateway.outcomes.size > 300, "some events to be done");
    line.refuse();
    await bed.broker.halt("SIGKILL");
    await waitFor(() => !gateway.isOnline, "the end of the connection");
    const acknowledged = new Set([...gateway.outcomes.keys()].map(Number));
    assert.ok(acknowledged.size < total, "all events were done before the kill");
    await bed.broker.resume();
    await application.subscribed();
    await line.accept();
    await waitFor(() => gateway.outcomes.size === total, "every event to be done");
    assert.deepEqual(new Set(gateway.endings), new Set(["done"]));
    const missing = () => {
        const arrived = application.numbers();
        return Array.from({ length: total }, (_, value) => value).filter((value) => !arrived.has(value));
    };
    await waitFor(() => missing().every((value) => acknowledged.has(value)), "every event that the broker had not acknowledged");
    await application.quiet();
    return missing().length === 0 ? keeps : loses;
}

async function killWhileAway(bed: TestBed): Promise<string> {
    const application = await bed.application({ durable: true });
    const { gateway } = await bed.gateway({ clock: bed.clock });
    // ActiveMQ keeps a subscription with wildcards only for topics that it has seen.
    for (let value = 0; value < 10; value++) gateway.publish(`d${value}`, 500 + value);
    await waitFor(() => application.received.length === 10, "the first events");
    await application.leave();
    for (let value = 0; value < 200; value++) gateway.publish(`d${value % 10}`, value);
    await waitFor(() => gateway.outcomes.size === 210, "every event to be done");
    await bed.broker.halt("SIGKILL");
    await bed.broker.resume();
    await application.comeBack();
    gateway.publish("marker", 1000);
    await waitFor(() => application.numbers().has(1000), "an event of afterwards");
    await application.quiet();
    const kept = [...application.numbers()].filter((value) => value < 200).length;
    if (kept === 0) return loses;
    assert.equal(kept, 200);
    return keeps;
}

async function lastWill(bed: TestBed): Promise<string> {
    const application = await bed.application();
    const { gateway, line } = await bed.gateway({ will: "gone" });
    const topic = `iot-2/type/gw/id/${gateway.gateway.identity.deviceId}/evt/gone/fmt/text`;
    await gateway.outcome(gateway.publish());
    line.refuse();
    line.reset();
    await waitFor(() => application.received.some((message) => message.topic === topic), "the last will");
    return "sent";
}

async function takenOver(bed: TestBed): Promise<string> {
    const one = await bed.gateway({ deviceId: "twin", clock: bed.clock });
    const other = await bed.gateway({ deviceId: "twin", clock: bed.clock });
    const problems = () => [one, other].flatMap(({ gateway }) => gateway.problems);
    await waitFor(
        () => problems().some(({ code }) => code === "GW_TAKEN_OVER"),
        () =>
            `a gateway to notice the other; they reported: ${problems()
                .map(({ message }) => message)
                .join(" | ")}`,
    );
    return "closes the older connection";
}

async function deniedSubscription(bed: TestBed): Promise<string> {
    const application = await bed.application();
    const { gateway, line } = await bed.gateway({ clock: bed.clock });
    const received: string[] = [];
    const rejections: string[] = [];
    for (const typeId of ["denied", "t"]) {
        const rejectionChanged = (error?: { readonly code: string }) => error && rejections.push(error.code);
        const selection = { target: "device", parts: { typeId } } as const;
        const taker = commandSubscriber((command) => received.push(String(command.payload)), { selection, rejectionChanged });
        gateway.gateway.onCommand(taker);
    }
    for (let value = 0; value < 20; value++) gateway.publish(`d${value}`, value);
    await waitFor(() => gateway.outcomes.size === 20, "the events");
    await application.sendUntil("ready", () => received.length > 0);
    if (line.accepted > 1) return closes;
    if (rejections.length > 0) {
        assert.deepEqual(rejections, ["GW_SUBSCRIBE_REFUSED"]);
        return "refuses it";
    }
    await application.command("denied", { typeId: "denied" });
    await application.sendUntil("after", () => received.includes("after"));
    return received.includes("denied") ? "allows it" : "grants it and delivers nothing";
}
