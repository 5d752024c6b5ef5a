import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DeviceRecord } from "../../../src/devices/inventory/device-record";
import { DeviceFirmware } from "../../../src/management/device-firmware";
import type { OutboxEvent } from "../../../src/outbox/event";
import { Outbox } from "../../../src/outbox/outbox";
import { isSqliteAvailable } from "../../../src/outbox/store/open-store";
import { SqliteStore } from "../../../src/outbox/store/sqlite-store";
import { FakeClock } from "../../support/doubles/fake-clock";
import { newEvent, RecordingListener, roomyLimits } from "../../support/doubles/outbox-events";
import { ManualGate, ManualLink } from "../../support/doubles/outbox-ports";
import { waitFor } from "../../support/wait-for";

/** Described in `test/fixtures/README.md`. */
const fixture = path.join(process.cwd(), "test", "fixtures", "outbox-version-1.sqlite");
const weekMs = 168 * 3_600_000;

/** A time on the day on which the file was written. */
function at(time: string): number {
    return Date.parse(`2026-06-01T${time}Z`);
}

describe("the fixture of an outbox file of version 1", () => {
    it("the fixture was not written again by later code", () => {
        const header = readFileSync(fixture);
        assert.equal(header.readUInt32BE(60), 1, "user_version");
        assert.equal(header.readUInt32BE(68), 0x57494f54, "application_id");
        assert.deepEqual([existsSync(`${fixture}-wal`), existsSync(`${fixture}-shm`)], [false, false]);
    });
});

if (isSqliteAvailable()) {
    describe("an outbox file of version 1", () => {
        let directory: string;
        let clock: FakeClock;
        let store: SqliteStore;

        beforeEach(async () => {
            directory = mkdtempSync(path.join(tmpdir(), "outbox-version-1-"));
            const file = path.join(directory, "gw.sqlite");
            copyFileSync(fixture, file);
            clock = new FakeClock(at("12:01:30"));
            store = new SqliteStore({ path: file, clock, listener: { failed: (error) => assert.fail(error), recovered: () => {} } });
            await store.open();
        });

        afterEach(async () => {
            await store.close(10_000);
            rmSync(directory, { recursive: true });
        });

        function stored(): Promise<readonly OutboxEvent[]> {
            return new Promise((resolve, reject) => {
                store.read({ priority: "normal", after: 0, upTo: 1000, maxEvents: 1000, maxBytes: 1_000_000 }, (error, batch) => {
                    if (error) reject(error);
                    else resolve(batch.events);
                });
            });
        }

        it("gives back every event with its number, times, QoS and source message", async () => {
            const events = await stored();
            const pumps = "f1d2c3b4a5968778";
            const valves = "0123456789abcdef";
            const message = (number: number, nodeId: string, eventId: string) => ({
                messageId: `0a0a0a0a0a0a000${number}`,
                nodeId,
                eventId,
            });
            assert.deepEqual(events, [
                {
                    seq: 3,
                    priority: "normal",
                    isLatest: false,
                    device: "pump/p1",
                    topic: "iot-2/type/pump/id/p1/evt/status/fmt/json",
                    payload: '{"d":{"flow":3}}',
                    bytes: 16,
                    qos: 1,
                    createdAt: at("12:00:10"),
                    expiresAt: at("12:00:10") + weekMs,
                    message: message(3, pumps, "status"),
                    encoding: { format: "json", wrap: false, timestampField: "" },
                    returns: 0,
                },
                {
                    seq: 4,
                    priority: "normal",
                    isLatest: false,
                    device: "pump/p1",
                    topic: "iot-2/type/pump/id/p1/evt/alarm/fmt/json",
                    payload: '{"d":{"level":"high","text":"Überdruck 5 µbar"}}',
                    bytes: 50,
                    qos: 2,
                    createdAt: at("12:00:20"),
                    expiresAt: at("12:00:20") + weekMs,
                    message: message(4, pumps, "alarm"),
                    encoding: { format: "json", wrap: false, timestampField: "" },
                    returns: 0,
                },
                {
                    seq: 5,
                    priority: "normal",
                    isLatest: false,
                    device: "pump/p2",
                    topic: "iot-2/type/pump/id/p2/evt/picture/fmt/bin",
                    payload: Buffer.from([0, 1, 2, 0xfd, 0xfe, 0xff]),
                    bytes: 6,
                    qos: 1,
                    createdAt: at("12:00:20.500"),
                    expiresAt: at("13:00:20.500"),
                    message: message(5, pumps, "picture"),
                    encoding: { format: "bin", wrap: false, timestampField: "" },
                    returns: 0,
                },
                {
                    seq: 6,
                    priority: "normal",
                    isLatest: false,
                    device: "valve/v1",
                    topic: "iot-2/type/valve/id/v1/evt/status/fmt/text",
                    payload: "open",
                    bytes: 4,
                    qos: 1,
                    createdAt: at("12:00:21"),
                    expiresAt: at("12:00:21") + weekMs,
                    message: message(6, valves, "status"),
                    encoding: { format: "text", wrap: false, timestampField: "" },
                    returns: 0,
                },
                {
                    seq: 7,
                    priority: "normal",
                    isLatest: false,
                    device: "valve/v2",
                    topic: "iot-2/type/valve/id/v2/evt/status/fmt/text",
                    payload: Buffer.from("shut\0by hand"),
                    bytes: 12,
                    qos: 2,
                    createdAt: at("12:00:21"),
                    expiresAt: at("12:01:51"),
                    message: message(7, valves, "status"),
                    encoding: { format: "text", wrap: false, timestampField: "" },
                    returns: 0,
                },
                {
                    seq: 8,
                    priority: "normal",
                    isLatest: false,
                    device: "pump/p1",
                    topic: "iot-2/type/pump/id/p1/evt/status/fmt/json",
                    payload: "",
                    bytes: 0,
                    qos: 1,
                    createdAt: at("12:01:21"),
                    expiresAt: at("12:01:51"),
                    message: message(8, pumps, "status"),
                    encoding: { format: "json", wrap: false, timestampField: "" },
                    returns: 0,
                },
            ]);
        });

        it("counts its events and bytes", () => {
            const outbox = new Outbox({
                store,
                storesEvents: true,
                clock,
                boot: clock,
                limits: roomyLimits,
                gate: new ManualGate(),
                link: new ManualLink(),
                listener: new RecordingListener(),
            });
            const { queued, queuedBytes } = outbox.counters;
            assert.deepEqual({ queued, queuedBytes }, { queued: 6, queuedBytes: 88 });
        });

        it("sends its events in the order of admission, and ends up empty", async () => {
            const link = new ManualLink();
            const listener = new RecordingListener();
            const outbox = new Outbox({
                store,
                storesEvents: true,
                clock,
                boot: clock,
                limits: roomyLimits,
                gate: new ManualGate(),
                link,
                listener,
            });
            outbox.linkUp();
            await waitFor(() => link.sent.length === 6, "all events to be sent");
            const sent = link.pending.map(({ event: { device, seq } }) => `${device} ${seq}`);
            assert.deepEqual(
                sent.filter((each) => each.startsWith("pump/p1 ")),
                ["pump/p1 3", "pump/p1 4", "pump/p1 8"],
            );
            assert.deepEqual(sent.filter((each) => !each.startsWith("pump/p1 ")).sort(), ["pump/p2 5", "valve/v1 6", "valve/v2 7"]);
            link.acknowledgeAll();
            clock.advance(1000);
            await outbox.close(1000);
            assert.deepEqual([outbox.counters.queued, listener.late], [0, []]);
            assert.deepEqual(await stored(), []);
        });

        it("sends a new event of high priority before its events, which are normal, and knows how old they are", async () => {
            const link = new ManualLink();
            const limits = { ...roomyLimits, maxInFlight: 1 };
            const surroundings = { gate: new ManualGate(), link, listener: new RecordingListener() };
            const outbox = new Outbox({ store, storesEvents: true, clock, boot: clock, limits, ...surroundings });
            for (const priority of ["low", "high"] as const) outbox.admit(newEvent("pump/p1", priority, { priority }));
            await waitFor(() => outbox.counters.normal === 6, "the stored events to be counted");
            const { high, normal, low } = outbox.counters;
            assert.deepEqual([high, normal, low], [1, 6, 1]);
            // Nothing is known of the time between the last event and the opening.
            assert.equal(clock.now() - (outbox.counters.oldestAt ?? 0), at("12:01:21") - at("12:00:10"));
            outbox.linkUp();
            await waitFor(() => {
                link.acknowledge();
                return link.sent.length === 8;
            }, "all events to be sent");
            assert.equal(link.sent[0], "high");
            link.acknowledgeAll();
            await outbox.close(1000);
        });

        it("gives back the known, held and new devices with their counters", () => {
            const devices = [...store.entries("device")].map(([device, text]) => {
                const { firstSeenAt, lastEventAt, lastCommandAt, events, commands, refusals, isKnown, hold } = DeviceRecord.decode(text);
                return [device, { firstSeenAt, lastEventAt, lastCommandAt, events, commands, refusals, isKnown, hold }];
            });
            const never = { lastEventAt: 0, lastCommandAt: 0, events: 0, commands: 0, refusals: 0, isKnown: false, hold: undefined };
            const start = at("12:00:01");
            const end = at("12:01:21");
            const valvesSent = at("12:00:21");
            assert.deepEqual(Object.fromEntries(devices), {
                "gateway/g1": { ...never, firstSeenAt: start, isKnown: true },
                "pump/p1": { ...never, firstSeenAt: start, lastEventAt: end, events: 4, isKnown: true },
                "pump/p2": {
                    ...never,
                    firstSeenAt: start,
                    lastEventAt: at("12:00:20.500"),
                    lastCommandAt: end,
                    events: 2,
                    commands: 2,
                    isKnown: true,
                },
                "valve/v1": {
                    ...never,
                    firstSeenAt: valvesSent,
                    lastEventAt: valvesSent,
                    events: 1,
                    refusals: 1,
                    hold: { reason: "refused", until: at("12:11:21"), failures: 2, rc: 403, text: "Device type valve is not allowed." },
                },
                "valve/v2": {
                    ...never,
                    firstSeenAt: valvesSent,
                    lastEventAt: valvesSent,
                    events: 1,
                    hold: { reason: "swallowed", until: at("12:02:21"), failures: 1 },
                },
                "valve/v3": {
                    ...never,
                    firstSeenAt: end,
                    refusals: 1,
                    hold: { reason: "connection-limit", until: at("12:01:26"), failures: 1 },
                },
                "valve/v4": { ...never, firstSeenAt: end, hold: { reason: "unanswered", until: at("12:31:21"), failures: 4 } },
                "fan/f1": { ...never, firstSeenAt: end, lastCommandAt: end, commands: 1 },
            });
        });

        it("gives back the firmware states, with the steps that were not sent yet", () => {
            const states = [...store.entries("firmware")].map(([device, text]) => [device, JSON.stringify(DeviceFirmware.parse(text))]);
            const pumpImage = { version: "7", uri: "https://firmware.example/pump-7.bin" };
            assert.deepEqual(Object.fromEntries(states.map(([device, text]) => [device, JSON.parse(text ?? "")])), {
                "gateway/g1": {
                    status: { state: 2, updateStatus: 0 },
                    image: {
                        name: "gateway-os",
                        version: "2.1.0",
                        uri: "https://firmware.example/gateway-os-2.1.0.bin",
                        verifier: "sha256:6b86b273",
                    },
                    observed: true,
                    unsent: [
                        { step: "downloading", change: { state: 1 } },
                        { step: "downloaded", change: { state: 2 } },
                    ],
                    updatedDateTime: "2026-06-01T12:01:41.000Z",
                },
                "pump/p1": {
                    status: { state: 0, updateStatus: 0 },
                    image: pumpImage,
                    observed: false,
                    unsent: [],
                    updatedDateTime: "2026-06-01T12:01:41.000Z",
                    installedVersion: "7",
                },
                "pump/p2": {
                    status: { state: 0, updateStatus: 2 },
                    image: pumpImage,
                    observed: false,
                    unsent: [],
                    updatedDateTime: "2026-06-01T12:01:41.000Z",
                },
            });
        });

        it("gives back the filters of the durable session", () => {
            const filters = [...store.entries("filter")].sort();
            assert.deepEqual(filters, [
                ["iot-2/type/gateway/id/g1/cmd/+/fmt/+", ""],
                ["iot-2/type/pump/id/+/cmd/set/fmt/json", ""],
                ["iotdm-1/#", ""],
            ]);
        });
    });
}
