import assert from "node:assert/strict";
import fc from "fast-check";
import { type Priority, priorities } from "../../../src/outbox/event";
import { defaultMemoryLimits } from "../../../src/outbox/outbox-limits";
import { OutboxEntry } from "../../../src/outbox/queue/outbox-entry";
import { UnsavedEvents } from "../../../src/outbox/storing/unsaved-events";
import { FakeClock } from "../../support/doubles/fake-clock";
import { newEvent } from "../../support/doubles/outbox-events";

function unsavedEvents(): UnsavedEvents {
    return new UnsavedEvents({
        clock: new FakeClock(),
        memory: defaultMemoryLimits,
        storesEvents: false,
        commitDelayMs: () => 0,
        wanted: () => undefined,
    });
}

function newEntry(seq: number, priority: Priority, createdAt = 0): OutboxEntry {
    return new OutboxEntry(seq, newEvent("t/a", `${seq}`, { priority }), createdAt, 1, undefined);
}

describe("the oldest event in memory", () => {
    it("is found for each priority, whatever is sent, given back or removed in between", () => {
        const step = fc.record({
            what: fc.constantFrom("admit", "send", "giveBack", "remove", "supersede", "look"),
            which: fc.nat(30),
            priority: fc.constantFrom(...priorities),
        });
        fc.assert(
            fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
                const unsaved = unsavedEvents();
                const entries: OutboxEntry[] = [];
                for (const { what, which, priority } of steps) {
                    const entry = entries[which % Math.max(entries.length, 1)];
                    if (what === "admit") {
                        const admitted = newEntry(entries.length + 1, priority);
                        entries.push(admitted);
                        unsaved.admitted(admitted, 0);
                    } else if (what === "send" && entry?.state === "waiting") {
                        entry.sent(1, false, 0);
                    } else if (what === "giveBack" && entry?.state === "inFlight") {
                        entry.returned();
                        unsaved.returned(entry);
                    } else if (what === "remove" && entry) {
                        unsaved.remove(entry);
                        entry.finished();
                    } else if (what === "supersede" && entry?.state === "waiting") {
                        const newer = newEntry(entries.length + 1, entry.priority);
                        entries.push(newer);
                        unsaved.admitted(newer, 0);
                        unsaved.replace(entry, newer);
                        entry.finished();
                    } else if (what === "look") {
                        const expected = [...unsaved].find((each) => each.state === "waiting" && each.priority === priority);
                        assert.equal(unsaved.firstWaiting(priority), expected);
                    }
                }
            }),
        );
    });

    it("is the one with the greatest age, also when an undelivered one is sent again", () => {
        const unsaved = unsavedEvents();
        for (const [seq, createdAt] of [5000, 3000, 4000].entries()) unsaved.admitted(newEntry(seq + 1, "normal", createdAt), 0);
        assert.equal(unsaved.oldestCreatedAt, 3000);
    });

    it("costs nothing that grows with their number, where none of the priority waits", () => {
        const unsaved = unsavedEvents();
        let looks = 0;
        for (let seq = 1; seq <= 10_000; seq++) {
            const entry = newEntry(seq, "normal");
            Object.defineProperty(entry, "priority", {
                get: () => {
                    looks += 1;
                    return "normal";
                },
            });
            unsaved.admitted(entry, 0);
        }
        looks = 0;
        for (let count = 0; count < 1000; count++) {
            assert.equal(unsaved.firstWaiting("low"), undefined);
            const first = unsaved.firstWaiting("normal");
            assert.ok(first);
            unsaved.remove(first);
        }
        assert.ok(looks < 15_000, `${looks} looks`);
    });
});
