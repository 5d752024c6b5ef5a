import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { GatewayError } from "../../src/errors";
import type { RegistrationOptions } from "../../src/simulator/options";
import { GatewayBench } from "../support/drivers/gateway-bench";
import { commandSubscriber, type RecordedGateway, type TestGatewayOptions } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

const rules = [
    { devices: "*/deny*", rc: 180 },
    { devices: "*/slow*", delayMs: 300 },
    { devices: "*/hang*", never: true },
];
const clientId = "g:org:gw:gw1";

describe("registration over MQTT", () => {
    let bench: GatewayBench;
    let gateway: RecordedGateway;
    afterEach(() => bench.close());

    /** The platform's back-off is two seconds, and the gateway holds a device for 2.2 s: long enough to be seen on a busy machine. */
    async function start(registration: RegistrationOptions = {}, properties: TestGatewayOptions = {}): Promise<void> {
        bench = await GatewayBench.start({ registration: { delayMs: 1, backoffMs: 2_000, rules, ...registration } });
        gateway = await bench.gateway(properties);
    }

    const registrationOf = (device: string) => gateway.gateway.inventory.query({ search: `t/${device}` }).devices[0]?.registration;
    const refuseOnce = (device: string, rc: number) =>
        bench.simulator.faults.add({ fault: "registration", devices: `t/${device}`, rc, times: 1 });
    const reaches = (device: string, phase: string) => waitFor(() => registrationOf(device)?.phase === phase, `${device} to be ${phase}`);

    it("subscribes to its notifications before the first publish of each connection", async () => {
        await start();
        await gateway.outcome(gateway.publish("d1", 1));
        bench.simulator.cut(clientId);
        await gateway.outcome(gateway.publish("d1", 2));
        const commands = bench.simulator.observed
            .packets()
            .filter((packet) => packet.clientId === clientId && ["connect", "subscribe", "publish"].includes(packet.command))
            .map(({ command, topic }) => `${command} ${topic ?? ""}`);
        const connection = ["connect ", "subscribe iot-2/type/gw/id/gw1/notify", "publish iot-2/type/t/id/d1/evt/e/fmt/json"];
        assert.deepEqual(commands, [...connection, ...connection]);
    });

    it("settles the first event of a new device when its registration is confirmed, and its later events in order", async () => {
        await start();
        const messages = [1, 2, 3].map((payload) => gateway.publish("d1", payload));
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        await bench.receives("d1", [1, 2, 3]);
        assert.equal(registrationOf("d1")?.phase, "known");
    });

    it("never has more registrations under way than there are slots", async () => {
        await start({ delayMs: 10, maxPending: 3 }, { registrationLimit: "3" });
        const messages = Array.from({ length: 30 }, (_, index) => gateway.publish(`d${index}`, 1));
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        assert.deepEqual(gateway.notifications, []);
    });

    for (const rc of [100, 173, 177, 180]) {
        it(`reports RC ${rc} on the node that sent the event, holds the device, and later delivers all its events in order`, async () => {
            await start();
            refuseOnce("d1", rc);
            gateway.publish("d1", 1, { messageId: "first" });
            const second = gateway.publish("d1", 2);
            const [failure] = await gateway.lateErrors("GW_REFUSED");
            const { refusal, ...message } = failure?.message ?? {};
            assert.deepEqual(message, { _msgid: "first", typeId: "t", deviceId: "d1", eventId: "e" });
            assert.deepEqual([refusal?.rc, refusal?.willRetry], [rc, true]);
            assert.deepEqual([failure?.nodeId, failure?.error.rc, failure?.error.willRetry], ["event-node", rc, true]);
            await reaches("d1", "held");
            assert.equal(registrationOf("d1")?.hold?.rc, rc);
            assert.equal(gateway.gateway.state.heldDevices, 1);
            assert.deepEqual([bench.publishes("d1"), gateway.outcomes.size], [1, 0]);
            assert.equal(await gateway.outcome("first"), "done");
            assert.equal(await gateway.outcome(second), "done");
            await bench.receives("d1", [1, 2]);
            assert.equal(gateway.gateway.state.heldDevices, 0);
        });
    }

    it("doubles the hold after a second failure", async () => {
        await start();
        bench.simulator.faults.add({ fault: "registration", devices: "t/d1", rc: 177, times: 2 });
        gateway.publish("d1", 1);
        const [first] = await gateway.lateErrors("GW_REFUSED", 1);
        const firstHold = registrationOf("d1")?.hold;
        await gateway.lateErrors("GW_REFUSED", 2);
        const secondHold = registrationOf("d1")?.hold;
        assert.deepEqual([firstHold?.failures, secondHold?.failures], [1, 2]);
        // The second one begins after the end of the first, and lasts 4.4 s.
        assert.ok((secondHold?.until ?? 0) - (firstHold?.until ?? 0) > 4_000);
        assert.match(first?.error.message ?? "", /Failed to create device.*held until.*kept/s);
    });

    it("drops the queue of a held device at an operator's request, and leaves other devices alone", async () => {
        await start();
        const held = [1, 2, 3].map((payload) => gateway.publish("deny1", payload));
        await reaches("deny1", "held");
        const { actions } = gateway.gateway;
        assert.deepEqual(await actions.purge({ typeId: "t", deviceId: "deny1" }), {
            isDone: true,
            key: "purged",
            parameters: { count: 3 },
        });
        for (const message of held) assert.equal(await gateway.outcome(message), "GW_EXPIRED");
        assert.deepEqual(await actions.purge({ typeId: "t", deviceId: "other" }), { isDone: false, key: "nothingToPurge" });
        assert.equal(await gateway.outcome(gateway.publish("d1", 4)), "done");
        const { events, heldBytes, droppedTotal } = gateway.gateway.monitor.overview.outbox;
        assert.deepEqual({ events, heldBytes, droppedTotal }, { events: 0, heldBytes: 0, droppedTotal: 3 });
    });

    it("does not delay known devices or other new ones while one is held or never answered", async () => {
        await start({}, { registrationLimit: "2" });
        await gateway.outcome(gateway.publish("known", 1));
        gateway.publish("deny1", 1);
        gateway.publish("hang1", 1);
        await reaches("deny1", "held");
        for (const device of ["known", "new1", "new2", "new3"]) assert.equal(await gateway.outcome(gateway.publish(device, 2)), "done");
        assert.deepEqual([registrationOf("deny1")?.phase, registrationOf("hang1")?.phase], ["held", "contacting"]);
    });

    it("queues the events of a device whose registration takes long, in order, and does not mistake that for a dead link", async () => {
        await start();
        const messages = [1, 2, 3].map((payload) => gateway.publish("slow1", payload));
        for (const message of messages) await gateway.outcome(message);
        await bench.receives("slow1", [1, 2, 3]);
        assert.equal(bench.simulator.observed.counts(clientId).connect, 1);
    });

    it("delivers the events of a device in a back-off that another gateway caused, after it ends and without a notification", async () => {
        await start();
        const other = await bench.gateway({ deviceId: "gw2" });
        refuseOnce("d1", 177);
        other.publish("d1", 1, { eventId: "other" });
        await other.lateErrors("GW_REFUSED");
        const messages = [1, 2].map((payload) => gateway.publish("d1", payload));
        await reaches("d1", "held");
        assert.equal(registrationOf("d1")?.hold?.reason, "swallowed");
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        await bench.receives("d1", [1, 2]);
        assert.deepEqual([gateway.notifications, gateway.late], [[], []]);
    });

    it("keeps the events of all registration attempts in flight when one is silently dropped, and tries one at a time", async () => {
        await start();
        const other = await bench.gateway({ deviceId: "gw2" });
        refuseOnce("d3", 180);
        other.publish("d3", 7);
        await other.lateErrors("GW_REFUSED");
        const messages = Array.from({ length: 6 }, (_, index) => gateway.publish(`d${index}`, 7));
        await reaches("d3", "held");
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        for (let index = 0; index < 6; index++) await bench.receives(`d${index}`, [7]);
    });

    it("reconnects at the platform's limit of new devices per connection, and loses nothing", async () => {
        await start({ maxPerConnection: 6 });
        const messages = Array.from({ length: 10 }, (_, index) => gateway.publish(`d${index}`, 1));
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        for (let index = 0; index < 10; index++) await bench.receives(`d${index}`, [1]);
        assert.equal(bench.simulator.observed.counts(clientId).connect, 2);
        assert.ok(
            [...bench.delivered.values()].every((payloads) => payloads.length === 1),
            "nothing is sent twice for the reconnect",
        );
        assert.ok(gateway.notifications.length > 0);
        assert.ok(gateway.late.every(({ error }) => error.rc === 173 && error.willRetry === true));
    });

    it("treats RC 276 for an event of a known device as final", async () => {
        await start();
        await gateway.outcome(gateway.publish("d1", 1));
        bench.simulator.faults.add({ fault: "refusePublish", topic: "*/d1/*", rc: 276, times: 1 });
        assert.equal(await gateway.outcome(gateway.publish("d1", 2, { messageId: "bad" })), "done");
        const [failure] = await gateway.lateErrors("GW_REFUSED");
        assert.deepEqual([failure?.message._msgid, failure?.error.rc, failure?.error.willRetry], ["bad", 276, false]);
        assert.equal(await gateway.outcome(gateway.publish("d1", 3)), "done");
        await bench.receives("d1", [1, 3]);
    });

    for (const rc of [276, 289]) {
        it(`treats RC ${rc} at a registration attempt as final for that event, and sends the next one`, async () => {
            await start();
            bench.simulator.faults.add({ fault: "refusePublish", topic: "*/d1/*", rc, times: 1 });
            const bad = gateway.publish("d1", 1);
            const good = gateway.publish("d1", 2);
            assert.equal(await gateway.outcome(bad), "GW_REFUSED");
            assert.equal(await gateway.outcome(good), "done");
            await bench.receives("d1", [2]);
            assert.deepEqual(gateway.late, [], "it is told once");
        });
    }

    it("treats RC 180 for a known device as final for that event, and makes the next one a registration attempt", async () => {
        await start();
        const registry = bench.simulator.organisation("org").registry;
        await gateway.outcome(gateway.publish("d1", 1));
        bench.simulator.organisation("org").forgetChecks();
        const record = registry.device("t", "d1");
        assert.ok(record);
        record.disabled = true;
        gateway.publish("d1", 2, { messageId: "gone" });
        const [failure] = await gateway.lateErrors("GW_REFUSED");
        assert.deepEqual([failure?.message._msgid, failure?.error.rc, failure?.error.willRetry], ["gone", 180, false]);
        await reaches("d1", "held");
        record.disabled = false;
        assert.equal(await gateway.outcome(gateway.publish("d1", 3)), "done");
        await bench.receives("d1", [1, 3]);
    });

    it("loses no event silently when a known device is refused while many of its events are in flight", async () => {
        await start();
        const organisation = bench.simulator.organisation("org");
        await gateway.outcome(gateway.publish("d1", 0));
        const record = organisation.registry.device("t", "d1");
        assert.ok(record);
        record.disabled = true;
        organisation.forgetChecks();
        const sent = Array.from({ length: 50 }, (_, index) => index + 1);
        for (const payload of sent) gateway.publish("d1", payload, { messageId: String(payload) });
        await gateway.lateErrors("GW_REFUSED");
        record.disabled = false;
        for (const payload of sent) assert.equal(await gateway.outcome(String(payload)), "done");
        const refused = new Set(gateway.late.map(({ message }) => Number(message._msgid)));
        await bench.receives("d1", [0, ...sent.filter((payload) => !refused.has(payload))]);
        assert.ok(refused.size > 0);
    });

    it("keeps the events of a gateway that may not act for the device, and reports each refusal", async () => {
        await start();
        const { registry } = bench.simulator.organisation("org");
        const group = new Set(["gw/gw1"]);
        registry.setRights("gw", "gw1", { role: "standard", group });
        bench.simulator.cut(clientId);
        gateway.publish("foreign", 1);
        const [failure] = await gateway.lateErrors("GW_REFUSED");
        assert.match(failure?.error.message ?? "", /not in group.*role and resource group/s);
        await reaches("foreign", "held");
        registry.register("t", "foreign");
        group.add("t/foreign");
        await bench.receives("foreign", [1]);
    });

    it("sends a QoS 0 event of an unknown device as QoS 1 if a slot is free, and otherwise rejects it", async () => {
        await start({}, { registrationLimit: "1" });
        await gateway.outcome(gateway.publish("ready", 1));
        const first = gateway.publish("d1", 1, { qos: 0 });
        assert.equal(await gateway.outcome(gateway.publish("d2", 1, { qos: 0 })), "GW_DEVICE_HELD");
        assert.equal(await gateway.outcome(first), "done");
        assert.equal(await gateway.outcome(gateway.publish("d1", 2, { qos: 0 })), "done");
        await bench.receives("d1", [1, 2]);
        const published = bench.simulator.observed.packets().filter(({ command }) => command === "publish");
        assert.deepEqual(
            published.map(({ qos }) => qos),
            [1, 1, 0],
        );
        refuseOnce("d3", 177);
        assert.equal(await gateway.outcome(gateway.publish("d3", 1, { qos: 0 })), "GW_REFUSED");
        assert.equal(await gateway.outcome(gateway.publish("d3", 2, { qos: 0 })), "GW_DEVICE_HELD");
        assert.deepEqual(gateway.late, []);
    });

    it("rejects new events of a held device while the outbox is off, and delivers the probe", async () => {
        await start({}, { outbox: "off" });
        await waitFor(async () => (await gateway.outcome(gateway.publish("ready", 1))) === "done", "the connection to take events");
        refuseOnce("d1", 177);
        const probe = gateway.publish("d1", 1);
        await reaches("d1", "held");
        assert.equal(await gateway.outcome(gateway.publish("d1", 2)), "GW_DEVICE_HELD");
        assert.equal(await gateway.outcome(probe), "done");
        assert.equal(await gateway.outcome(gateway.publish("d1", 3)), "done");
        await bench.receives("d1", [1, 3]);
    });

    it("sends events in flight again after the connection ended, registration attempts first", async () => {
        await start({ delayMs: 50 });
        const messages = Array.from({ length: 12 }, (_, index) => gateway.publish(`d${index}`, 1));
        await waitFor(() => bench.publishes("d7") > 0, "the slots to be used");
        bench.simulator.cut(clientId);
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        for (let index = 0; index < 12; index++) await bench.receives(`d${index}`, [1]);
    });

    /** Subscribes to the commands of one device; returns what became of it. */
    function subscribe(deviceId: string): (string | undefined)[] {
        const refusals: (string | undefined)[] = [];
        const selection = { target: "device", parts: { typeId: "t", deviceId } } as const;
        const rejectionChanged = (error?: GatewayError) => refusals.push(error?.code);
        gateway.gateway.onCommand(commandSubscriber(() => undefined, { selection, rejectionChanged }));
        return refusals;
    }

    it("registers a device by the subscription to its commands, and lets its events wait for the outcome", async () => {
        await start({ delayMs: 100 });
        const refusals = subscribe("d1");
        await waitFor(() => registrationOf("d1") ?? bench.simulator.observed.counts(clientId).subscribe === 2, "the SUBSCRIBE");
        assert.equal(await gateway.outcome(gateway.publish("d1", 1)), "done");
        assert.deepEqual([refusals, gateway.notifications], [[], []]);
        assert.equal(bench.publishes("d1"), 1);
    });

    it("shows that a subscription fails because its device is refused, and subscribes when the device is registered", async () => {
        await start();
        refuseOnce("d1", 177);
        const refusals = subscribe("d1");
        await waitFor(() => refusals.length > 0, "the refusal");
        gateway.publish("d1", 1);
        await waitFor(() => refusals.length > 1, "the subscription");
        assert.deepEqual(refusals, ["GW_SUBSCRIBE_REFUSED", undefined]);
        await bench.receives("d1", [1]);
    });

    it("does not hold the events of a device whose command subscription the server rejects", async () => {
        await start();
        bench.simulator.faults.add({ fault: "refuseSubscribe", topic: "*/cmd/*" });
        const refusals = subscribe("d1");
        await waitFor(() => refusals.length > 0, "the refusal");
        assert.equal(await gateway.outcome(gateway.publish("d1", 1)), "done");
        assert.equal(registrationOf("d1")?.phase, "known");
    });

    it("remembers known and held devices and their counts across a restart", async () => {
        const userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-"));
        try {
            await start({}, { outbox: "disk", registrationBackoff: "3", userDir });
            await gateway.outcome(gateway.publish("d1", 1));
            refuseOnce("d2", 177);
            gateway.publish("d2", 1);
            await reaches("d2", "held");
            const hold = registrationOf("d2")?.hold;
            await gateway.gateway.close(3000);
            gateway = await bench.gateway({ outbox: "disk", registrationBackoff: "3", userDir });
            await reaches("d1", "known");
            assert.deepEqual(registrationOf("d2")?.hold, hold);
            assert.equal(gateway.gateway.inventory.query({ search: "d1" }).devices[0]?.events, 1);
            await bench.receives("d2", [1]);
        } finally {
            await gateway.gateway.close(3000);
            rmSync(userDir, { recursive: true, force: true });
        }
    });

    it("counts sent and refused events in the inventory", async () => {
        await start();
        refuseOnce("d1", 177);
        await gateway.outcome(gateway.publish("d1", 1));
        const [device] = gateway.gateway.inventory.query().devices;
        assert.deepEqual([device?.events, device?.refusals, device?.registration.phase], [1, 1, "known"]);
    });
});

describe("notifications over MQTT", () => {
    let bench: GatewayBench;
    afterEach(() => bench.close());

    it("notifications name the refused event with the candidates, whatever was sent in between", async () => {
        bench = await GatewayBench.start({ notificationDelayMs: 30 });
        const gateway = await bench.gateway();
        await gateway.outcome(gateway.publish("d1", 1, { messageId: "first" }));
        bench.simulator.faults.add({ fault: "refusePublish", topic: "*/d1/*", rc: 180, times: 1 });
        gateway.publish("d1", 2, { messageId: "refused" });
        gateway.publish("d1", 3, { messageId: "other topic", eventId: "f" });
        await waitFor(() => gateway.notifications.length > 0, "the notification");
        const [received] = gateway.notifications;
        const { event } = received ?? {};
        assert.deepEqual(
            [event?.typeId, event?.deviceId, event?.eventId, event?.nodeId, event?.candidates.map(({ _msgid }) => _msgid)],
            ["t", "d1", "e", "event-node", ["refused"]],
        );
        assert.equal(received?.notification.fields.rc, 180);
    });

    it("unreadable notifications reach the flow and change nothing", async () => {
        bench = await GatewayBench.start();
        const gateway = await bench.gateway();
        bench.simulator.publish("org", "iot-2/type/gw/id/gw1/notify", "not JSON");
        await waitFor(() => gateway.notifications.length > 0, "the notification");
        assert.deepEqual(gateway.notifications[0], {
            topic: "iot-2/type/gw/id/gw1/notify",
            notification: { malformed: true, fields: {}, raw: "not JSON" },
        });
        assert.deepEqual([gateway.late, gateway.warnings], [[], []]);
    });

    it("notifications about anything but events are logged as a warning", async () => {
        bench = await GatewayBench.start();
        const gateway = await bench.gateway();
        const notification = { Request: "Publish", Topic: "iot-2/type/t/id/x/evt/e/fmt/json", RC: 276, Message: "The topic is not valid" };
        bench.simulator.publish("org", "iot-2/type/gw/id/gw1/notify", JSON.stringify(notification));
        await waitFor(() => gateway.warnings.length > 0, "the warning");
        assert.match(gateway.warnings[0] ?? "", /refused iot-2\/type\/t\/id\/x.*276/);
    });
});
