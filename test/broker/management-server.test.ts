import assert from "node:assert/strict";
import fc from "fast-check";
import { SqliteFile } from "../../src/outbox/store/sqlite-file";
import { isRecord } from "../../src/protocol/json";
import { ManagedPlatform } from "../support/drivers/managed-platform";
import { askPlatform, workingFlow } from "../support/drivers/management-flow";
import { waitFor } from "../support/wait-for";

const ids = (count: number) => Array.from({ length: count }, (_, index) => `m/${index}`);

describe("device management with the platform's server", () => {
    let platform: ManagedPlatform;
    let stop: () => void;

    async function start(devices: readonly string[], failing?: ReadonlySet<string>) {
        platform = await ManagedPlatform.start({ registrationLimit: "100" }, { registration: { maxPending: 200 } });
        const deviceInfo = { model: "meter", fwVersion: "1.0" };
        const responder = platform.responder({ target: { kind: "device" }, manage: true, lifetimeS: 3600, deviceInfo });
        await platform.connect();
        await Promise.all(devices.map((device) => platform.event(device)));
        await waitFor(() => (responder.counts?.managed ?? 0) === devices.length, "all devices to be managed");
        stop = workingFlow(responder, failing);
        return responder;
    }

    afterEach(async () => {
        stop();
        await platform.close();
    });

    it("updates the firmware of 50 devices from the request to complete, with one notification for each step", async () => {
        const devices = ids(50);
        const responder = await start(devices);
        platform.published.length = 0;
        const image = { version: "2.0", name: "meter", uri: "https://example.com/meter-2.0.bin", verifier: "abc" };
        assert.deepEqual([...(await askPlatform(platform, "firmware/download", devices, image)).entries()], [["succeeded", devices]]);
        assert.deepEqual([...(await askPlatform(platform, "firmware/update", devices)).entries()], [["succeeded", devices]]);
        const changes = new Map<string, unknown[]>();
        for (const { suffix, device, json } of platform.published) {
            if (suffix !== "notify" || !isRecord(json.d) || !Array.isArray(json.d.fields)) continue;
            changes.set(device, [...(changes.get(device) ?? []), json.d.fields[0].value]);
        }
        const expected = [{ state: 1 }, { state: 2 }, { updateStatus: 1 }, { state: 0, updateStatus: 0 }];
        assert.deepEqual(
            devices.map((device) => changes.get(device)),
            devices.map(() => expected),
        );
        await waitFor(() => responder.reports.length === 200, "the answers to the notifications");
        const server = platform.simulator.organisation("org").management;
        await waitFor(
            () => ids(50).every((_, index) => server.device("m", String(index))?.deviceInfo.fwVersion === "2.0"),
            "the new version at the platform",
        );
        assert.equal(server.strayAnswers, 0);
    });

    it("reports the device whose image could not be verified as failed, and refuses to update it", async () => {
        const devices = ids(5);
        await start(devices, new Set(["m/3"]));
        const downloaded = await askPlatform(platform, "firmware/download", devices, { version: "2.0", uri: "https://example.com/2.0" });
        assert.deepEqual(downloaded.get("failed"), ["m/3"]);
        const updated = await askPlatform(platform, "firmware/update", devices);
        assert.deepEqual([updated.get("failed"), updated.get("succeeded")?.length], [["m/3"], 4]);
        const again = await askPlatform(platform, "firmware/download", ["m/3"], { version: "2.1", uri: "https://example.com/2.1" });
        assert.deepEqual(again.get("failed"), ["m/3"], "a failed device can be tried again");
    });

    it("completes a reboot when the device is managed again", async () => {
        await start(ids(3));
        assert.deepEqual([...(await askPlatform(platform, "device/reboot", ids(3))).keys()], ["succeeded"]);
    });

    it("fails a request for a device that the platform does not register, even if an event came first", async () => {
        const responder = await start([]);
        platform.simulator.faults.add({ fault: "registration", devices: "m/*", rc: 180 });
        platform.event("m/1").catch(() => undefined);
        const outcomes = responder.input({ dm: { action: "clearLog", typeId: "m", deviceId: "1" } });
        await waitFor(() => outcomes.length, "the failure");
        assert.equal(outcomes[0]?.error?.code, "GW_DEVICE_HELD");
    });

    it("registers a device through the gateway's own request", async () => {
        const responder = await start([]);
        const outcomes = responder.input({ dm: { action: "manage", typeId: "m", deviceId: "new" } });
        await waitFor(() => outcomes.length, "the answer");
        assert.equal(outcomes[0]?.answer?.rc, 200);
        assert.ok(platform.simulator.organisation("org").registry.device("m", "new"));
    });

    it("survives any bytes on any device management topic, and keeps answering", async () => {
        const responder = await start(["m/1"]);
        const suffixes = fc.oneof(
            fc.stringMatching(/^[A-Za-z_/]{1,40}$/).filter((text) => !/^\/|\/\/|\/$/.test(text)),
            fc.constantFrom(
                "observe",
                "cancel",
                "response",
                "device/update",
                "mgmt/custom/b1/a1",
                "mgmt/initiate/firmware/download",
                "mgmt/initiate/device/reboot",
            ),
        );
        const bodies = fc.oneof(
            fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
            fc.json().map((text) => Buffer.from(text)),
            fc
                .record({ d: fc.oneof(fc.jsonValue(), fc.record({ fields: fc.jsonValue() })), reqId: fc.jsonValue() })
                .map((value) => Buffer.from(JSON.stringify(value))),
        );
        for (const [suffix, body] of fc.sample(fc.tuple(suffixes, bodies), 500)) platform.send(suffix, body, "m/1");
        platform.send("observe", `{"reqId":"deep","d":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, "m/1");
        platform.send("__proto__/constructor", '{"reqId":"__proto__","d":{"__proto__":{"polluted":1}}}', "m/1");
        platform.send("mgmt/custom/b1/a1", { reqId: "last" }, "m/1");
        await waitFor(() => responder.requests.some(({ dm }) => dm.reqId === "last"), "the last request");
        await waitFor(() => platform.published.some(({ json }) => json.reqId === "last"), "its answer");
        assert.equal(Reflect.get({}, "polluted"), undefined);
        assert.equal(platform.gateway.state.connection.phase, "online");
    });
});

describe("firmware states in a file that was in use at the start", () => {
    it("applies firmware states of a file that was in use at the start as soon as it is free, without a reconnect", async () => {
        const platform = await ManagedPlatform.start();
        const answer = async (suffix: string, body: object) => {
            platform.send(suffix, body);
            return (await platform.next("response")).json.rc;
        };
        const settings = { respond: "auto", firmwareActions: true } as const;
        try {
            const responder = platform.responder(settings);
            await platform.connect();
            const value = { version: "2", uri: "https://example.com/2.bin" };
            assert.equal(await answer("device/update", { d: { fields: [{ field: "mgmt.firmware", value }] }, reqId: "u" }), 204);
            assert.equal(await answer("mgmt/initiate/firmware/download", { reqId: "d" }), 202);
            for (const step of ["downloading", "downloaded"])
                responder.input({ dm: { action: "firmware", typeId: "s", deviceId: "1", step } });
            await platform.settled();
            const outboxPath = platform.gateway.monitor.overview.outbox.file?.path ?? "";
            await platform.endGateway();
            const other = new SqliteFile({ path: outboxPath, run: 2 });
            other.open();
            platform.responder(settings);
            await platform.connect();
            await platform.subscribed(2);
            const update = "mgmt/initiate/firmware/update";
            assert.equal(await answer(update, { reqId: "i1" }), 400, "nobody can know yet");
            other.close();
            platform.clock.skip(60_000);
            await waitFor(() => platform.gateway.monitor.overview.outbox.problem === undefined, "the file to be opened");
            assert.equal(await answer(update, { reqId: "i2" }), 202);
        } finally {
            await platform.close();
        }
    });
});
