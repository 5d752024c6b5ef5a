import assert from "node:assert/strict";
import { eventRequest } from "../../../src/node-red/device-event-out";
import { platformIds } from "../../../src/protocol/id-parser";

/** The time to live, in milliseconds, of an event whose message has this `ttl`. */
function ttlOf(ttl: unknown, ofForm?: number): number | undefined {
    const ids = { typeId: "t", deviceId: "d", eventId: "e" };
    const settings = {
        nodeId: "node",
        source: "device",
        ids: { immediate: true, read: () => ids },
        format: "json",
        qos: 1,
        priority: "normal",
        isLatest: false,
        wrap: false,
        timestampField: "",
        encoding: undefined,
        completionMode: "safe",
        ttlMs: ofForm,
    } as const;
    return eventRequest(settings, { identity: { orgId: "o", typeId: "g", deviceId: "g" }, ids: platformIds }, ids, { payload: 1, ttl }, 0)
        .ttlMs;
}

describe("the time to live that a message gives its event", () => {
    it("is a number of seconds above 0, or such a number as text", () => {
        for (const [ttl, expected] of [
            [1, 1000],
            [0.5, 500],
            ["2", 2000],
            [" 3.5 ", 3500],
            [0.001, 1],
        ]) {
            assert.equal(ttlOf(ttl), expected);
        }
    });

    it("is that of the form, or else of the outbox, if it is missing or blank", () => {
        for (const ttl of [undefined, null, ""]) assert.equal(ttlOf(ttl), undefined);
        for (const ttl of [undefined, 7, "nonsense"]) assert.equal(ttlOf(ttl, 5000), 5000);
    });

    it("rejects anything else, so that no event expires or stays against its sender's intent", () => {
        const bad = [
            0,
            -1,
            Number.NaN,
            Number.POSITIVE_INFINITY,
            Number.MAX_VALUE,
            "0",
            "-1",
            "1e3",
            "soon",
            "0x10",
            true,
            false,
            5n,
            {},
            [],
            [5],
        ];
        for (const ttl of [...bad, new Date(), Buffer.from("5"), Symbol("5"), () => 5]) {
            assert.throws(() => ttlOf(ttl), { code: "GW_INVALID_PAYLOAD" }, String(ttl));
        }
    });
});
