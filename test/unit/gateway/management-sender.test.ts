import assert from "node:assert/strict";
import type { SentPacket } from "../../../src/connection/sent-packet";
import { Registration } from "../../../src/devices/registration/registration";
import type { RegistrationClient } from "../../../src/devices/registration/registration-types";
import { ManagementSender } from "../../../src/gateway/management-sender";
import { FakeClock } from "../../support/doubles/fake-clock";

const device = { typeId: "s", deviceId: "1" };
const key = "s/1";
const refusal = { rc: 180, request: "publish", text: "no", registration: true };

const nobody: RegistrationClient = { wake() {}, confirm() {}, requeue() {}, drop() {} };

interface Published {
    readonly payload: string;
    readonly qos: number;
    readonly isContact: boolean;
    readonly acknowledge: (error?: Error) => void;
}

class Bench {
    readonly clock = new FakeClock();
    readonly published: Published[] = [];
    readonly outcomes: string[] = [];
    readonly registration: Registration;
    readonly sender: ManagementSender;

    constructor(registrationLimit = 8) {
        this.registration = new Registration({
            clock: this.clock,
            gatewayDevice: "mygw/gw1",
            registrationLimit,
            registrationBackoffMs: 600_000,
            isRegistering: true,
        });
        const connection = {
            publish: ({ qos }: SentPacket, payload: string | Buffer, acknowledge: (error?: Error) => void, isContact = false) => {
                this.published.push({ payload: String(payload), qos, isContact, acknowledge });
            },
        };
        this.sender = new ManagementSender(connection, this.registration, { admit: () => "send", acknowledged() {} });
        this.registration.connectionStarted();
        this.sender.linkUp();
    }

    send(payload: string, to = device): void {
        this.sender.publish(to, `iotdevice-1/type/${to.typeId}/id/${to.deviceId}/notify`, payload, 0, (error) => {
            this.outcomes.push(`${payload} ${error && "code" in error ? String(error.code) : "done"}`);
        });
    }

    /** Ends the connection as the gateway does. */
    disconnect(): void {
        this.sender.linkDown();
        this.registration.connectionEnded();
    }

    sent(): string[] {
        return this.published.map(({ payload }) => payload);
    }
}

describe("management sender", () => {
    it("sends a message for a known device at once", () => {
        const bench = new Bench();
        bench.registration.register(key, "event", nobody);
        bench.registration.sent(key);
        bench.registration.acknowledged(key);
        bench.clock.advance(100);
        bench.send("a");
        bench.send("b");
        assert.deepEqual(
            bench.published.map(({ payload, qos, isContact }) => [payload, qos, isContact]),
            [
                ["a", 0, false],
                ["b", 0, false],
            ],
        );
        bench.published[0]?.acknowledge();
        assert.deepEqual(bench.outcomes, ["a done"]);
    });

    it("makes the first message for an unknown device its registration attempt, at QoS 1, and sends the others in order when it is confirmed", () => {
        const bench = new Bench();
        for (const payload of ["a", "b", "c"]) bench.send(payload);
        assert.deepEqual(
            bench.published.map(({ payload, qos, isContact }) => [payload, qos, isContact]),
            [["a", 1, true]],
        );
        bench.published[0]?.acknowledge();
        assert.deepEqual(bench.outcomes, [], "the acknowledgement alone says nothing");
        bench.clock.advance(150);
        assert.deepEqual([bench.outcomes, bench.sent()], [["a done"], ["a", "b", "c"]]);
    });

    it("waits for the registration attempt of another kind, such as an event", () => {
        const bench = new Bench();
        assert.equal(bench.registration.register(key, "event", nobody), "check");
        bench.registration.sent(key);
        bench.send("a");
        assert.deepEqual(bench.sent(), []);
        bench.registration.acknowledged(key);
        bench.clock.advance(150);
        assert.deepEqual(bench.sent(), ["a"]);
    });

    it("waits for a free registration slot", () => {
        const bench = new Bench(1);
        bench.send("a");
        bench.send("b", { typeId: "s", deviceId: "2" });
        assert.deepEqual(bench.sent(), ["a"]);
        bench.published[0]?.acknowledge();
        bench.clock.advance(150);
        assert.deepEqual(bench.sent(), ["a", "b"]);
    });

    it("fails a refused registration attempt and its queue, and later messages at once while the device is held", () => {
        const bench = new Bench();
        bench.send("a");
        bench.send("b");
        bench.published[0]?.acknowledge();
        bench.registration.refused(key, refusal);
        bench.clock.advance(200);
        bench.send("c");
        assert.deepEqual(bench.outcomes, ["a GW_DEVICE_HELD", "b GW_DEVICE_HELD", "c GW_DEVICE_HELD"]);
        assert.deepEqual(bench.sent(), ["a"]);
    });

    it("fails a registration attempt that was refused for its content with the refusal", () => {
        const bench = new Bench();
        bench.send("a");
        bench.published[0]?.acknowledge();
        bench.registration.refused(key, { ...refusal, rc: 276 });
        bench.clock.advance(200);
        assert.deepEqual(bench.outcomes, ["a GW_REFUSED"]);
    });

    it("fails messages in flight and waiting when the connection ends, as retryable", () => {
        const bench = new Bench();
        bench.send("a");
        bench.send("b");
        bench.disconnect();
        assert.deepEqual(bench.outcomes.sort(), ["a GW_NOT_CONNECTED", "b GW_NOT_CONNECTED"]);
        bench.registration.connectionStarted();
        bench.sender.linkUp();
        bench.send("again");
        assert.deepEqual(bench.sent(), ["a", "again"]);
    });
});
