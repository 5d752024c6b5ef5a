import assert from "node:assert/strict";
import { Registration } from "../../../src/devices/registration/registration";
import type { RegistrationClient } from "../../../src/devices/registration/registration-types";
import { RefusalHandler } from "../../../src/gateway/events/refusal-handler";
import type { OutboxEvent } from "../../../src/outbox/event";
import { FakeClock } from "../../support/doubles/fake-clock";

const client: RegistrationClient = { wake() {}, confirm() {}, requeue() {}, drop() {} };
const topic = "iot-2/type/t/id/a/evt/e/fmt/json";

describe("refusal of an event of a device that was flowing", () => {
    let clock: FakeClock;
    let registration: Registration;
    let refusals: RefusalHandler;
    let lines: string[];

    beforeEach(() => {
        clock = new FakeClock();
        lines = [];
        start(true);
    });

    function start(isRegistering: boolean): void {
        registration = new Registration({
            clock,
            gatewayDevice: "gw/gw1",
            registrationLimit: 8,
            registrationBackoffMs: 600_000,
            isRegistering,
        });
        refusals = new RefusalHandler({
            clock,
            registration,
            recall: (device) => lines.push(`recall ${device}`),
            failed: (_node, { rc, willRetry }, { _msgid }) => lines.push(`failed ${_msgid}: RC ${rc}, willRetry ${willRetry}`),
            unmatched: (error) => lines.push(`unmatched: RC ${error.rc}`),
            counted: () => {},
        });
        registration.attach({
            reconnectWanted: () => {},
            stateChanged: () => {},
            unexplainedDrop: (strays) => refusals.unexplainedDrop(strays),
            cleared: (device) => refusals.cleared(device),
            recall: () => {},
            convicted: (device, heldUntil) => refusals.convicted(device, heldUntil),
            unanswered: () => {},
            signGiven: () => {},
            pingWanted: () => {},
        });
        registration.connectionStarted();
        check();
    }

    /** The device passes its check. */
    function check(): void {
        registration.register("t/a", "event", client);
        registration.sent("t/a");
        registration.acknowledged("t/a");
        clock.advance(100);
    }

    /** Sends an event, which is acknowledged. */
    function deliver(messageId: string): void {
        const number = refusals.sent("t/a", topic, { messageId, nodeId: "n", eventId: "e" }, clock.monotonicMs(), true);
        refusals.eventAcknowledged(number, event(messageId), clock.monotonicMs(), false, {
            acknowledged: () => {},
            settled: () => lines.push(`settled ${messageId}`),
            refused: (error, { rc }) => lines.push(`refused ${messageId}: ${error.code} ${rc}`),
            failed: () => {},
        });
    }

    function refuse(rc: number, ids = true): void {
        const fields = { Request: "PUBLISH", Topic: topic, RC: rc, Message: "words", ...(ids && { Type: "t", Id: "a" }) };
        refusals.received("iot-2/type/gw/id/gw1/notify", Buffer.from(JSON.stringify(fields)));
    }

    function take(): string[] {
        const taken = lines;
        lines = [];
        return taken;
    }

    it("sends again what was acknowledged within 250 ms before, the refused event included", () => {
        deliver("older");
        clock.advance(275);
        deliver("m1");
        clock.advance(100);
        deliver("m2");
        clock.advance(20);
        assert.deepEqual(take(), ["settled older"]);
        refuse(177);
        assert.deepEqual(take(), ["recall t/a", "failed m2: RC 177, willRetry true"], "the notification comes right after its event");
        clock.advance(1_000);
        assert.deepEqual(take(), [], "neither event is let go of, and nothing else failed");
    });

    it("fails the refused event of a device that the gateway may not act for, and sends the others again", () => {
        deliver("m1");
        deliver("m2");
        refuse(180);
        assert.deepEqual(take(), ["refused m1: GW_REFUSED 180", "recall t/a"]);
        clock.advance(1_000);
        assert.deepEqual(take(), []);
    });

    it("does not send an event again that its topic ruled out", () => {
        deliver("m1");
        refuse(276, false);
        assert.deepEqual(take(), ["refused m1: GW_REFUSED 276"]);
    });

    it("sends the events of a guilty suspect again that were acknowledged shortly before the stray ping", () => {
        deliver("m1");
        registration.strayPing();
        clock.advance(150);
        assert.match(take().join(), /^unmatched/);
        assert.equal(registration.register("t/a", "event", client), "check");
        registration.sent("t/a");
        registration.acknowledged("t/a");
        registration.strayPing();
        clock.advance(150);
        assert.deepEqual(take(), ["recall t/a"]);
        assert.equal(registration.isHeld("t/a"), true);
        clock.advance(1_000);
        assert.deepEqual(take(), []);
    });

    it("lets go of the events of a suspect that turns out innocent", () => {
        deliver("m1");
        registration.strayPing();
        clock.advance(150);
        registration.register("t/a", "event", client);
        registration.sent("t/a");
        registration.acknowledged("t/a");
        take();
        clock.advance(400);
        assert.deepEqual(take(), ["settled m1"]);
    });

    it("keeps no acknowledged events for a broker that has never shown that it registers devices", () => {
        start(false);
        take();
        deliver("m1");
        assert.deepEqual(take(), ["settled m1"]);
    });

    it("keeps nothing that was acknowledged on a connection that has ended", () => {
        deliver("m1");
        refusals.linkDown();
        assert.deepEqual(take(), ["settled m1"]);
    });
});

function event(messageId: string): OutboxEvent {
    return {
        seq: 1,
        device: "t/a",
        priority: "normal",
        isLatest: false,
        topic,
        payload: "{}",
        bytes: 2,
        qos: 1,
        createdAt: 0,
        expiresAt: 0,
        message: { messageId, nodeId: "n", eventId: "e" },
        encoding: { format: "json", wrap: false, timestampField: "" },
        returns: 0,
    };
}
