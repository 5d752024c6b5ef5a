import assert from "node:assert/strict";
import { type LinkVerdict, LinkWatch } from "../../../src/connection/link-watch";

/** A link seen second by second; the test says what moves on it. */
class Link {
    readonly traffic = { receivedBytes: 0, sentBytes: 0, incomingPacket: 0 };
    readonly verdicts: { atS: number; verdict: LinkVerdict }[] = [];
    readonly #watch: LinkWatch;
    nowMs = 0;
    oldestDueMs: number | undefined;
    isReadingHeld = false;
    answersPings = true;
    #answerDue = false;

    constructor(readonly keepAliveS: number) {
        this.#watch = new LinkWatch(keepAliveS, this.traffic, 0);
    }

    run(seconds: number, eachSecond: () => void = () => {}): LinkVerdict {
        for (const endMs = this.nowMs + seconds * 1_000; this.nowMs < endMs; ) {
            this.nowMs += this.#watch.tickMs;
            if (this.#answerDue) {
                this.traffic.receivedBytes += 2;
                this.#answerDue = false;
            }
            if (this.nowMs % 1_000 === 0) eachSecond();
            const verdict = this.#watch.evaluate({
                nowMs: this.nowMs,
                traffic: this.traffic,
                oldestDueMs: this.oldestDueMs,
                isReadingHeld: this.isReadingHeld,
            });
            if (verdict !== "fine") this.verdicts.push({ atS: this.nowMs / 1_000, verdict });
            if (verdict === "ping") {
                this.traffic.sentBytes += 2;
                this.#answerDue = this.answersPings;
            } else if (verdict !== "fine") return verdict;
        }
        return "fine";
    }

    publish(): void {
        this.traffic.sentBytes += 100;
        this.oldestDueMs ??= this.nowMs;
    }

    get pings(): number {
        return this.verdicts.filter(({ verdict }) => verdict === "ping").length;
    }
}

describe("link watch", () => {
    it("pings an idle link within the keep-alive, and finds nothing wrong", () => {
        for (const keepAliveS of [1, 2, 10, 60, 3_600]) {
            const link = new Link(keepAliveS);
            assert.equal(link.run(keepAliveS * 4), "fine");
            assert.ok(link.pings >= 4, `${link.pings} pings in 4 × ${keepAliveS} s`);
            const times = [0, ...link.verdicts.map(({ atS }) => atS)];
            for (let i = 1; i < times.length; i++) assert.ok((times[i] ?? 0) - (times[i - 1] ?? 0) <= keepAliveS);
        }
    });

    it("does not ping while events go out", () => {
        const link = new Link(10);
        link.run(60, () => {
            link.traffic.sentBytes += 50;
            link.traffic.receivedBytes += 4;
        });
        assert.equal(link.pings, 0);
    });

    it("detects a black hole 20 s after the last sign of life if an acknowledgement is due", () => {
        const link = new Link(10);
        link.answersPings = false;
        link.publish();
        assert.equal(link.run(60), "stalled");
        assert.equal(link.nowMs, 21_000, "20 s after the first look, which saw the publish go out");
    });

    it("waits for half the keep-alive if that is longer", () => {
        const link = new Link(60);
        link.answersPings = false;
        link.publish();
        assert.equal(link.run(60), "stalled");
        assert.equal(link.nowMs, 31_000);
    });

    it("does not call a link stalled at the first publish after a long silence", () => {
        const link = new Link(3_600);
        // Half the keep-alive is the silence that counts, and no ping is due before three quarters of it.
        link.run(2_000);
        assert.equal(link.pings, 0);
        link.oldestDueMs = link.nowMs;
        assert.equal(link.run(60), "fine");
    });

    it("detects a dead idle link by an unanswered ping", () => {
        const link = new Link(60);
        link.answersPings = false;
        assert.equal(link.run(200), "stalled");
        assert.equal(link.pings, 1);
        assert.ok(link.nowMs <= 90_000, `${link.nowMs} ms`);
    });

    it("does not mistake a withheld acknowledgement of a registration attempt for a stall: it is not due", () => {
        const link = new Link(60);
        link.traffic.sentBytes += 100;
        assert.equal(link.run(3_600), "fine");
    });

    it("does not mistake a quota for a stall: the server reads or answers now and then", () => {
        const link = new Link(10);
        link.answersPings = false;
        link.publish();
        let second = 0;
        const outcome = link.run(200, () => {
            if (++second % 15 === 0) link.traffic.sentBytes += 16_384;
        });
        assert.equal(outcome, "fine");
        assert.equal(
            link.run(200, () => {
                if (++second % 15 === 0) link.traffic.receivedBytes += 4;
            }),
            "acknowledgement missing",
        );
    });

    it("reconnects after five minutes if one acknowledgement is missing while others arrive", () => {
        const link = new Link(60);
        link.publish();
        const outcome = link.run(1_000, () => {
            link.traffic.sentBytes += 100;
            link.traffic.receivedBytes += 4;
        });
        assert.equal(outcome, "acknowledgement missing");
        assert.equal(link.nowMs, 300_000);
    });

    it("pings a silent server before it calls the link dead because of one missing acknowledgement", () => {
        const link = new Link(60);
        link.publish();
        assert.equal(link.run(299), "fine");
        assert.equal(link.run(2), "acknowledgement missing");
    });

    it("pings, and calls nothing a stall, while it reads nothing itself, and gives the server time again afterwards", () => {
        const link = new Link(10);
        link.answersPings = false;
        link.publish();
        link.isReadingHeld = true;
        assert.equal(link.run(3_600), "fine");
        assert.ok(link.pings >= 360);
        link.isReadingHeld = false;
        assert.equal(link.run(15), "fine");
        assert.equal(link.run(10), "stalled");
    });

    it("does not count an acknowledgement as missing that came while it read nothing", () => {
        const link = new Link(60);
        link.publish();
        link.isReadingHeld = true;
        link.run(600);
        link.isReadingHeld = false;
        const others = () => {
            link.traffic.receivedBytes += 4;
        };
        assert.equal(link.run(299, others), "fine");
        assert.equal(link.run(2, others), "acknowledgement missing");
    });

    it("does not count an acknowledgement as missing while one packet comes in, which it waits behind", () => {
        const link = new Link(60);
        link.publish();
        link.traffic.incomingPacket = 7;
        assert.equal(
            link.run(600, () => {
                link.traffic.receivedBytes += 10_000;
            }),
            "fine",
        );
        assert.equal(
            link.run(290, () => {
                link.traffic.receivedBytes += 4;
                link.traffic.incomingPacket += 1;
            }),
            "fine",
        );
        assert.equal(
            link.run(20, () => {
                link.traffic.receivedBytes += 4;
                link.traffic.incomingPacket += 1;
            }),
            "acknowledgement missing",
        );
    });
});
