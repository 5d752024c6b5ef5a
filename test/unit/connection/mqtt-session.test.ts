import assert from "node:assert/strict";
import { MessageIds, MqttSession } from "../../../src/connection/mqtt-session";

describe("message ids", () => {
    it("message ids wrap around, and an id in use is never assigned", () => {
        const ids = new MessageIds(() => 0.9999);
        const withheld = ids.allocate();
        for (let i = 0; i < 200_000; i++) {
            const id = ids.allocate();
            assert.ok(id !== null && id !== withheld && id >= 1 && id <= 65_535);
            ids.deallocate(id);
        }
    });

    it("no message id is left when all are in use, until one is free again", () => {
        const ids = new MessageIds(() => 0);
        const all = new Set<number>();
        for (let id = ids.allocate(); id !== null; id = ids.allocate()) all.add(id);
        assert.equal(all.size, 65_535);
        ids.deallocate(4_711);
        assert.equal(ids.allocate(), 4_711);
        assert.equal(ids.allocate(), null);
    });
});

describe("MQTT session", () => {
    const acknowledge = () => undefined;

    it("keeps the ids of incomplete QoS 2 publishes out of use until the server has released them", () => {
        const session = new MqttSession(() => 0);
        const ids = [session.ids.allocate(), session.ids.allocate(), session.ids.allocate()];
        assert.deepEqual(ids, [1, 2, 3]);
        session.connectionEnded([2], acknowledge);
        assert.deepEqual([...session.unreleased], [2]);
        assert.equal(session.ids.register(1), true);
        assert.equal(session.ids.register(2), false);
        session.completed(2);
        session.connectionEnded([], acknowledge);
        assert.equal(session.ids.register(2), true);
    });

    it("forgets everything if the server has no session", () => {
        const session = new MqttSession(() => 0);
        session.connectionStarted(false, acknowledge);
        const message = { packetId: 9, qos: 1, duplicate: true, topic: "t", payload: Buffer.of(1) } as const;
        assert.ok(session.received.received(message));
        session.connectionEnded([5], acknowledge);
        session.connectionStarted(true, acknowledge);
        assert.equal(session.received.received(message), undefined);
        assert.deepEqual([...session.unreleased], [5]);
        session.connectionStarted(false, acknowledge);
        assert.ok(session.received.received(message));
        assert.deepEqual([...session.unreleased], []);
        assert.equal(session.ids.register(5), true);
    });
});
