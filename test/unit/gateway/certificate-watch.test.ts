import assert from "node:assert/strict";
import type { PresentedCertificate } from "../../../src/connection/presented-certificates";
import { CertificateWatch, certificateThreshold } from "../../../src/gateway/monitor/certificate-watch";
import { FakeClock } from "../../support/doubles/fake-clock";

const hour = 60 * 60_000;
const day = 24 * hour;

class Bench {
    readonly clock = new FakeClock();
    readonly warnings: string[] = [];
    readonly watch = new CertificateWatch({ clock: this.clock, warn: (text) => this.warnings.push(text) });

    /** A certificate that ends in so many milliseconds. */
    ending(whose: PresentedCertificate["whose"], inMs: number): PresentedCertificate {
        return { whose, expiresAtMs: this.clock.now() + inMs };
    }

    /** Days left and threshold of the certificate that ends first. */
    get first(): [days: number, threshold: string] | undefined {
        const [first] = this.watch.certificates;
        return first && [first.daysLeft, certificateThreshold(first)];
    }
}

describe("the certificates of a connection", () => {
    it("certificates are far from their end, soon to be renewed from 30 days on, and then expired", () => {
        const bench = new Bench();
        bench.watch.connected([bench.ending("server", 32 * day)]);
        const found: unknown[] = [bench.first];
        for (const days of [1, 1, 29, 1, 1]) {
            bench.clock.advance(days * day);
            found.push(bench.first);
        }
        assert.deepEqual(found, [
            [32, "far"],
            [31, "far"],
            [30, "soon"],
            [1, "soon"],
            [0, "expired"],
            [-1, "expired"],
        ]);
    });

    it("certificates are listed with the one first that ends first, in whole days that have begun", () => {
        const bench = new Bench();
        bench.watch.connected([bench.ending("server", 90 * day), bench.ending("client", 29 * day - 1000)]);
        assert.deepEqual(bench.watch.certificates, [
            { whose: "client", expiresAt: "2026-01-29T23:59:59.000Z", daysLeft: 29 },
            { whose: "server", expiresAt: "2026-04-01T00:00:00.000Z", daysLeft: 90 },
        ]);
    });

    it("certificates are a warning once a day from 30 days on while the connection is open, whatever its age", () => {
        const bench = new Bench();
        bench.watch.connected([bench.ending("server", 33 * day), bench.ending("client", 400 * day)]);
        bench.clock.advance(2.5 * day);
        assert.deepEqual(bench.warnings, []);
        bench.clock.advance(3 * day);
        assert.equal(bench.warnings.length, 3);
        assert.match(bench.warnings[0] ?? "", /^The certificate of the server ends on 2026-02-03; days left: 30\./);
        bench.watch.disconnected();
        bench.clock.advance(10 * day);
        assert.equal(bench.warnings.length, 3);
        assert.equal(bench.clock.timerCount, 0);
        assert.deepEqual(bench.first, [18, "soon"], "what was known stays known");
    });

    it("certificates are no further warning when the connection comes and goes, or changes between two servers", () => {
        const bench = new Bench();
        const certificates = [bench.ending("server", 29 * day), bench.ending("server", 28 * day)];
        for (let time = 0; time < 20; time++) {
            const certificate = certificates[time % 2];
            bench.watch.connected(certificate ? [certificate] : []);
            bench.clock.advance(hour / 2);
            bench.watch.disconnected();
        }
        assert.equal(bench.warnings.length, 2);
    });

    it("certificates are warned of with their owner and the remedy, also when they have expired", () => {
        const bench = new Bench();
        bench.watch.connected([bench.ending("client", day), bench.ending("server", -day)]);
        assert.deepEqual(bench.warnings, [
            "The certificate of the server has expired (2025-12-31). It must be renewed on the server before the next connection.",
            "The client certificate of this gateway ends on 2026-01-02; days left: 1. Renew it in the TLS settings.",
        ]);
        bench.clock.advance(day);
        assert.equal(
            bench.warnings.at(-1),
            "The client certificate of this gateway has expired (2026-01-02). Renew it in the TLS settings before the next connection.",
        );
    });

    it("certificates are forgotten when the next connection has others, or none", () => {
        const bench = new Bench();
        bench.watch.connected([bench.ending("server", day)]);
        bench.watch.connected([bench.ending("server", 90 * day)]);
        assert.deepEqual(bench.first, [90, "far"]);
        bench.watch.connected([]);
        assert.deepEqual(bench.watch.certificates, []);
        assert.equal(bench.clock.timerCount, 0);
    });
});
