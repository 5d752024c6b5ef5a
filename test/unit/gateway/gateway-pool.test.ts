import assert from "node:assert/strict";
import { GatewayPool, type PooledGateway } from "../../../src/gateway/gateway-pool";
import { throwsCode } from "../../support/assertions";
import { FakeClock } from "../../support/doubles/fake-clock";

const deploy = (...affected: string[]) => ({ isChange: true, affected: new Set(affected) });
const shutdown = { isChange: false, affected: new Set<string>() };

class FakeGateway implements PooledGateway {
    closed: () => void = () => undefined;

    constructor(
        private readonly name: string,
        private readonly events: string[],
    ) {}

    start(): void {
        this.events.push(`${this.name} start`);
    }

    flowsStopping(): void {
        this.events.push(`${this.name} hold`);
    }

    flowsStarted(): void {
        this.events.push(`${this.name} release`);
    }

    close(): Promise<void> {
        this.events.push(`${this.name} close`);
        return new Promise((resolve) => {
            this.closed = resolve;
        });
    }
}

describe("gateway pool", () => {
    function setUp() {
        const clock = new FakeClock();
        const events: string[] = [];
        const gateways: FakeGateway[] = [];
        const pool = new GatewayPool<FakeGateway>(clock);
        const lease = (fingerprint = "same", source = "config", key = "g:org:gw:gw1") =>
            pool.lease({
                key,
                clientId: "client",
                server: "localhost:1883",
                fingerprint,
                sources: [source],
                create: () => {
                    const gateway = new FakeGateway(`gateway${gateways.length + 1}`, events);
                    gateways.push(gateway);
                    return gateway;
                },
            });
        /** Ends the closing of a gateway and lets what waits for it run. */
        const finishClosing = async (index: number) => {
            gateways[index]?.closed();
            await new Promise((resolve) => setImmediate(resolve));
        };
        return { clock, events, gateways, pool, lease, finishClosing };
    }

    it("shares one gateway between all leases of an identity, and closes it with the last one", () => {
        const { events, gateways, pool, lease } = setUp();
        const [one, other] = [lease("same", "config1"), lease("same", "config2")];
        assert.equal(one.gateway, other.gateway);
        pool.flowsStarted();
        void one.release();
        void one.release();
        assert.deepEqual(events, ["gateway1 start", "gateway1 release"]);
        void other.release();
        assert.deepEqual(events, ["gateway1 start", "gateway1 release", "gateway1 close"]);
        assert.equal(gateways.length, 1);
    });

    it("connects only after the flows have started, so that every listener exists", () => {
        const { events, pool, lease } = setUp();
        lease();
        assert.deepEqual(events, []);
        pool.flowsStarted();
        assert.deepEqual(events, ["gateway1 start", "gateway1 release"]);
    });

    it("refuses different settings for an identity in use", () => {
        const { lease } = setUp();
        lease("tcp");
        throwsCode("GW_CONFIG", () => lease("tls"));
    });

    it("refuses a client id that a gateway of another identity uses at the same server", () => {
        const { lease } = setUp();
        const one = lease();
        throwsCode("GW_CONFIG", () => lease("same", "config2", "g:org:gw:gw2"));
        void one.release();
        lease("same", "config2", "g:org:gw:gw2");
    });

    it("connects with a client id only after the gateway that had it has closed", async () => {
        const { events, pool, lease, finishClosing } = setUp();
        const before = lease();
        pool.flowsStarted();
        pool.flowsStopping(deploy("another node"));
        void before.release();
        lease("same", "config2", "g:org:gw:gw2");
        pool.flowsStarted();
        assert.ok(events.includes("gateway1 close") && !events.includes("gateway2 start"), events.join());
        await finishClosing(0);
        assert.equal(events.at(-1), "gateway2 start");
    });

    it("keeps the gateway over a deploy that leaves it unchanged", () => {
        const { clock, events, pool, lease } = setUp();
        const before = lease();
        pool.flowsStarted();
        pool.flowsStopping(deploy("another node"));
        void before.release();
        clock.advance(14_999);
        const after = lease();
        pool.flowsStarted();
        assert.equal(after.gateway, before.gateway);
        assert.deepEqual(events, ["gateway1 start", "gateway1 release", "gateway1 hold", "gateway1 release"]);
        assert.equal(clock.timerCount, 0);
    });

    it("pauses commands as soon as a deploy is announced, before any node stops", () => {
        const { clock, events, pool, lease } = setUp();
        const before = lease();
        pool.flowsStarted();
        pool.deployAnnounced();
        assert.equal(events.at(-1), "gateway1 hold");
        pool.flowsStopping(deploy());
        clock.advance(6_000);
        assert.equal(events.at(-1), "gateway1 hold", "the flows have not started yet");
        void before.release();
        lease();
        pool.flowsStarted();
        assert.equal(events.at(-1), "gateway1 release");
        assert.equal(clock.timerCount, 0);
    });

    it("resumes 5 s after an announced deploy that fails", () => {
        const { clock, events, pool, lease } = setUp();
        lease();
        pool.flowsStarted();
        pool.deployAnnounced();
        clock.advance(4_999);
        assert.equal(events.at(-1), "gateway1 hold");
        clock.advance(1);
        assert.equal(events.at(-1), "gateway1 release");
        assert.equal(clock.timerCount, 0);
    });

    it("loses no command to a deploy that is announced while the flows of the previous one start", () => {
        const { clock, events, pool, lease } = setUp();
        const before = lease();
        pool.flowsStarted();
        pool.flowsStopping(deploy());
        void before.release();
        lease();
        pool.deployAnnounced();
        pool.flowsStarted();
        assert.equal(events.at(-1), "gateway1 hold", "the flows will stop again in a moment");
        pool.flowsStopping(deploy());
        pool.flowsStarted();
        assert.equal(events.at(-1), "gateway1 release");
        assert.equal(clock.timerCount, 0);
    });

    it("connects gateways that open while the next deploy is announced, paused, and resumes if that deploy fails", () => {
        const { clock, events, pool, lease } = setUp();
        pool.deployAnnounced();
        lease();
        pool.flowsStarted();
        assert.deepEqual(events, ["gateway1 start", "gateway1 hold"]);
        clock.advance(5_000);
        assert.equal(events.at(-1), "gateway1 release");
    });

    it("keeps commands paused while no flow runs, even if the announced deploy has failed", () => {
        const { clock, events, pool, lease } = setUp();
        lease();
        pool.flowsStarted();
        pool.flowsStopping(shutdown);
        pool.deployAnnounced();
        clock.advance(5_000);
        assert.equal(events.at(-1), "gateway1 hold");
    });

    it("closes a kept gateway if the flows do not start within 15 s", () => {
        const { clock, events, pool, lease } = setUp();
        const before = lease();
        pool.flowsStopping(deploy());
        void before.release();
        clock.advance(15_000);
        assert.deepEqual(events, ["gateway1 hold", "gateway1 close"]);
    });

    it("closes a kept gateway if the new flows do not use it", () => {
        const { events, pool, lease } = setUp();
        const before = lease();
        pool.flowsStopping(deploy());
        void before.release();
        pool.flowsStarted();
        assert.deepEqual(events, ["gateway1 hold", "gateway1 close"]);
    });

    for (const [name, change] of [
        ["its settings are part of the deploy", deploy("config")],
        ["Node-RED shuts down", shutdown],
    ] as const) {
        it(`closes before the close of its node ends when ${name}`, async () => {
            const { events, gateways, pool, lease } = setUp();
            const before = lease();
            pool.flowsStopping(change);
            const released = before.release();
            assert.deepEqual(events, ["gateway1 hold", "gateway1 close"]);
            gateways[0]?.closed();
            await released;
        });
    }

    it("starts a changed gateway only when its predecessor has closed", async () => {
        const { events, pool, lease, finishClosing } = setUp();
        const before = lease("old token");
        pool.flowsStarted();
        pool.flowsStopping(deploy("config"));
        void before.release();
        lease("new token");
        pool.flowsStarted();
        assert.equal(events.includes("gateway2 start"), false);
        await finishClosing(0);
        assert.equal(events.at(-1), "gateway2 start");
    });

    it("never starts a successor that was closed while it waited for its turn", async () => {
        const { events, gateways, pool, lease, finishClosing } = setUp();
        const before = lease("old");
        pool.flowsStarted();
        void before.release();
        void lease("new").release();
        await finishClosing(0);
        assert.equal(gateways.length, 2);
        assert.equal(events.includes("gateway2 start"), false);
    });

    it("connects a gateway that is leased while the flows run", () => {
        const { events, pool, lease } = setUp();
        pool.flowsStarted();
        lease();
        assert.deepEqual(events, ["gateway1 start"]);
    });

    it("survives a gateway that fails to close", async () => {
        const { pool, lease } = setUp();
        const broken = lease();
        broken.gateway.close = () => Promise.reject(new Error("no"));
        await broken.release();
        pool.flowsStarted();
        assert.equal(lease().gateway === broken.gateway, false);
    });
});
