import assert from "node:assert/strict";
import { RegistrationBench } from "./registration-bench";

/** A bench on a server that has not shown whether it registers devices, and the events it has acknowledged. */
class OpenServer extends RegistrationBench {
    readonly fates: string[] = [];

    constructor() {
        super({ isRegistering: false });
    }

    /** The server acknowledges an event that was sent without a check. */
    acknowledgeFlowing(device: string, name: string): boolean {
        if (!this.registration.isNewcomer(device)) return false;
        this.registration.deferred(device, {
            settle: () => this.fates.push(`${name} settled`),
            takenBack: () => this.fates.push(`${name} taken back`),
        });
        return true;
    }
}

describe("new devices on a server that has not shown whether it registers devices", () => {
    it("lets them flow at once, however many they are", () => {
        const bench = new OpenServer();
        for (let i = 0; i < 1000; i++) assert.equal(bench.ask(`t/d${i}`), "flow");
        assert.equal(bench.tryNow("t/other"), "flow");
        assert.equal(bench.ask("t/filtered", "subscribe"), "flow");
    });

    it("makes one known 100 ms after the first acknowledgement, when the events acknowledged meanwhile are settled", () => {
        const bench = new OpenServer();
        bench.ask("t/d1");
        assert.equal(bench.acknowledgeFlowing("t/d1", "first"), true);
        bench.clock.advance(50);
        bench.ask("t/d1");
        assert.equal(bench.acknowledgeFlowing("t/d1", "second"), true);
        bench.clock.advance(49);
        assert.deepEqual(bench.fates, []);
        bench.clock.advance(2);
        assert.deepEqual(bench.fates, ["first settled", "second settled"]);
        assert.deepEqual(bench.take(), ["state t/d1 known"]);
        assert.equal(bench.acknowledgeFlowing("t/d1", "third"), false, "nothing is open of a known device");
    });

    it("settles their acknowledged events when the connection ends, as no sign comes any more", () => {
        const bench = new OpenServer();
        bench.ask("t/d1");
        bench.ask("t/unanswered");
        bench.acknowledgeFlowing("t/d1", "first");
        bench.registration.connectionLost();
        bench.registration.connectionEnded();
        assert.deepEqual(bench.fates, ["first settled"]);
        assert.equal(bench.registration.isKnown("t/d1"), true);
        assert.equal(bench.registration.isKnown("t/unanswered"), false);
    });

    it("holds the one that a notification names, and takes back its open events but no others", () => {
        const bench = new OpenServer();
        for (const device of ["t/d1", "t/d2"]) {
            bench.ask(device);
            bench.acknowledgeFlowing(device, device);
        }
        const verdict = bench.registration.refused("t/d1", { rc: 173, request: "publish", text: "", registration: true });
        assert.deepEqual([verdict.willRetry, verdict.recalls], [true, "all"]);
        assert.deepEqual(bench.fates, ["t/d1 taken back"]);
        assert.equal(bench.registration.isHeld("t/d1"), true);
        assert.ok(bench.take().includes("sign given"));
        bench.clock.advance(101);
        assert.deepEqual(bench.fates, ["t/d1 taken back", "t/d2 settled"]);
        assert.notEqual(bench.ask("t/new"), "flow", "from now on the server registers devices");
    });

    it("holds the one that a notification names before the acknowledgement", () => {
        const bench = new OpenServer();
        bench.ask("t/d1");
        const { willRetry } = bench.registration.refused("t/d1", { rc: 173, request: "publish", text: "", registration: true });
        assert.equal(willRetry, true);
        assert.equal(bench.acknowledgeFlowing("t/d1", "first"), false, "the outbox has taken the event back");
    });

    it("sends all of them again as checks after a stray ping, which names none", () => {
        const bench = new OpenServer();
        for (const device of ["t/d1", "t/d2"]) {
            bench.ask(device);
            bench.acknowledgeFlowing(device, device);
        }
        bench.registration.strayPing();
        assert.deepEqual(bench.fates, ["t/d1 taken back", "t/d2 taken back"]);
        assert.deepEqual(bench.take(), ["sign given", "recalled t/d1", "recalled t/d2"]);
        assert.deepEqual([bench.ask("t/d1"), bench.ask("t/d2")], ["check", "check"]);
    });
});
