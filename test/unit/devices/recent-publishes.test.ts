import assert from "node:assert/strict";
import fc from "fast-check";
import { RecentPublishes } from "../../../src/devices/refusals/recent-publishes";
import { topicMatches } from "../../../src/devices/refusals/topic-match";

const topicOfA = "iot-2/type/t/id/a/evt/e/fmt/json";

function remember(recent: RecentPublishes, messageId: string, { device = "t/a", topic = topicOfA, nowMs = 0 } = {}): number {
    return recent.add(device, topic, { messageId, nodeId: "node", eventId: "e" }, nowMs);
}

describe("refusal correlation", () => {
    it("finds the publish of the notified topic", () => {
        const recent = new RecentPublishes();
        remember(recent, "m1");
        remember(recent, "m2", { device: "t/b", topic: "iot-2/type/t/id/b/evt/e/fmt/json" });
        assert.deepEqual(recent.refused(topicOfA, "t/a", 5), {
            number: 0,
            isAcknowledged: false,
            isQueued: false,
            best: { device: "t/a", topic: topicOfA, messageId: "m1", nodeId: "node", eventId: "e", sentMs: 0 },
            candidates: [{ device: "t/a", topic: topicOfA, messageId: "m1", nodeId: "node", eventId: "e", sentMs: 0 }],
        });
    });

    it("assumes the oldest of several matches, lists all, and assumes the next one for the next notification", () => {
        const recent = new RecentPublishes();
        for (const messageId of ["m1", "m2", "m3"]) remember(recent, messageId);
        const found = [1, 2, 3, 4].map((nowMs) => recent.refused(topicOfA, undefined, nowMs));
        assert.deepEqual(
            found.map((match) => match?.candidates.map(({ messageId }) => messageId)),
            [["m1", "m2", "m3"], ["m2", "m3"], ["m3"], undefined],
        );
        assert.deepEqual(
            found.map((match) => match?.best.messageId),
            ["m1", "m2", "m3", undefined],
        );
    });

    it("searches by device if the notification has no topic, and finds nothing if it has neither", () => {
        const recent = new RecentPublishes();
        remember(recent, "m1");
        assert.equal(recent.refused(undefined, undefined, 1), undefined);
        assert.equal(recent.refused(undefined, "t/b", 1), undefined);
        assert.equal(recent.refused(undefined, "t/a", 1)?.best.messageId, "m1");
    });

    it("leaves out publishes acknowledged seconds ago, so that an earlier success is not blamed", () => {
        const recent = new RecentPublishes();
        recent.acknowledged(remember(recent, "old"), 1);
        remember(recent, "new", { nowMs: 10_000 });
        assert.equal(recent.refused(topicOfA, undefined, 10_005)?.best.messageId, "new");
    });

    it("prefers the latest acknowledged publishes, and returns one from a second ago only if no other fits", () => {
        const recent = new RecentPublishes();
        recent.acknowledged(remember(recent, "earlier"), 1);
        recent.acknowledged(remember(recent, "now", { nowMs: 1_000 }), 1_001);
        const found = [1_005, 1_006].map((nowMs) =>
            recent.refused(topicOfA, undefined, nowMs)?.candidates.map(({ messageId }) => messageId),
        );
        assert.deepEqual(found, [["now"], ["earlier"]]);
    });

    it("leaves out publishes sent minutes ago", () => {
        const recent = new RecentPublishes();
        remember(recent, "old");
        assert.equal(recent.refused(topicOfA, undefined, 120_001), undefined);
    });

    it("is not confused by an acknowledgement of a publish that was overwritten", () => {
        const recent = new RecentPublishes(2);
        const first = remember(recent, "m1");
        remember(recent, "m2");
        remember(recent, "m3");
        recent.acknowledged(first, 1);
        assert.deepEqual(
            recent.refused(topicOfA, undefined, 10_000)?.candidates.map(({ messageId }) => messageId),
            ["m2", "m3"],
        );
    });

    it("finds later acknowledged publishes of the same device, once", () => {
        const recent = new RecentPublishes();
        const [first = 0, second = 0, , fourth = 0] = ["m1", "m2", "m3", "m4"].map((messageId) => remember(recent, messageId));
        recent.acknowledged(first, 1);
        recent.acknowledged(second, 5);
        recent.acknowledged(fourth, 7);
        recent.acknowledged(remember(recent, "other", { device: "t/b" }), 7);
        const taken = [1, 2].map(() => recent.takeAcknowledgedSince("t/a", 5).map(({ publish }) => publish.messageId));
        assert.deepEqual(taken, [["m2", "m4"], []]);
        assert.equal(recent.refused(topicOfA, undefined, 8)?.best.messageId, "m1");
    });

    it("lists by device what was acknowledged within a time, and still finds it", () => {
        const recent = new RecentPublishes();
        for (const [messageId, device, atMs] of [
            ["early", "t/a", 1],
            ["m1", "t/a", 10],
            ["m2", "t/b", 20],
            ["m3", "t/a", 20],
            ["late", "t/a", 21],
        ] as const) {
            recent.acknowledged(remember(recent, messageId, { device }), atMs);
        }
        remember(recent, "open", { device: "t/b" });
        const found = () =>
            [...recent.acknowledgedWithin(10, 20)].map(([device, publishes]) => [
                device,
                ...publishes.map(({ publish }) => publish.messageId),
            ]);
        assert.deepEqual(found(), [
            ["t/a", "m1", "m3"],
            ["t/b", "m2"],
        ]);
        assert.deepEqual(found().length, 2);
    });

    it("does not find a publish that was forgotten", () => {
        const recent = new RecentPublishes(2);
        const first = remember(recent, "m1");
        const second = remember(recent, "m2");
        remember(recent, "m3");
        recent.forget(first);
        recent.forget(second);
        assert.equal(recent.refused(topicOfA, undefined, 1)?.best.messageId, "m3");
    });

    it("lists at most 20 candidates", () => {
        const recent = new RecentPublishes();
        for (let index = 0; index < 100; index++) remember(recent, `m${index}`);
        assert.equal(recent.refused(topicOfA, undefined, 1)?.candidates.length, 20);
    });

    it("finds each remembered publish once and nothing else, whatever the order", () => {
        fc.assert(
            fc.property(fc.array(fc.nat(5), { maxLength: 30 }), fc.integer({ min: 1, max: 10 }), (devices, capacity) => {
                const recent = new RecentPublishes(capacity);
                devices.forEach((device, index) => {
                    recent.add(`t/${device}`, `topic/${device}`, { messageId: String(index), nodeId: "n", eventId: "e" }, index);
                });
                const expected = devices.map((device, index) => ({ device, index })).slice(-capacity);
                for (const device of new Set(devices)) {
                    const found: number[] = [];
                    for (;;) {
                        const match = recent.refused(`topic/${device}`, `t/${device}`, 100);
                        if (!match) break;
                        found.push(Number(match.best.messageId));
                    }
                    assert.deepEqual(
                        found,
                        expected.filter((each) => each.device === device).map(({ index }) => index),
                    );
                }
            }),
        );
    });
});

describe("the topic in a notification", () => {
    it("a topic in a notification matches itself", () => {
        fc.assert(fc.property(fc.string(), (topic) => topicMatches(topic, topic)));
    });

    it("a topic in a notification matches with control characters replaced by a question mark", () => {
        assert.ok(topicMatches("iot-2/type/t/id/d/evt/a\u0007b/fmt/json", "iot-2/type/t/id/d/evt/a?b/fmt/json"));
        assert.ok(!topicMatches("iot-2/type/t/id/d/evt/acb/fmt/json", "iot-2/type/t/id/d/evt/a?b/fmt/json"));
    });

    it("a topic in a notification matches if it was cut at a NUL, but not if it was cut elsewhere", () => {
        assert.ok(topicMatches("iot-2/type/t/id/d/evt/a\u0000b/fmt/json", "iot-2/type/t/id/d/evt/a"));
        assert.ok(!topicMatches("iot-2/type/t/id/d/evt/ab/fmt/json", "iot-2/type/t/id/d/evt/a"));
        assert.ok(!topicMatches("iot-2/type/t/id/d/evt/a", "iot-2/type/t/id/d/evt/ab"));
    });
});
