import assert from "node:assert/strict";
import type { RegistrationAnswer, RegistrationClient } from "../../../src/devices/registration/registration-types";
import { GatewayError } from "../../../src/errors";
import { maximoFilterLimit } from "../../../src/gateway/subscriptions/maximo-limit";
import { SubscriptionManager } from "../../../src/gateway/subscriptions/subscription-manager";
import type { StateStore } from "../../../src/outbox/store/store";
import { deviceOfFilter, gatewayTopics } from "../../../src/protocol/gateway-topics";
import type { Qos } from "../../../src/protocol/qos";
import type { FilterLimit } from "../../../src/routing/subscription-table";
import { FakeClock } from "../../support/doubles/fake-clock";

const platformTopics = gatewayTopics({ identity: { orgId: "org", typeId: "gw", deviceId: "gw1" }, eventTopic: "", commandTopic: "" });

const command = (typeId = "+", deviceId = "+", commandId = "+") => `iot-2/type/${typeId}/id/${deviceId}/cmd/${commandId}/fmt/+`;

/** Lets everything that waits for a promise go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** The server's side: what was sent, in order, and which filters it refuses. */
class Server {
    readonly sent: string[] = [];
    readonly refuses = new Set<string>();
    answers = true;

    async subscribe(filter: string, qos: Qos): Promise<Qos> {
        this.sent.push(`+${filter}`);
        if (!this.answers) throw new GatewayError("GW_NOT_CONNECTED", "gone");
        if (this.refuses.has(filter)) throw new GatewayError("GW_SUBSCRIBE_REFUSED", "refused");
        return qos;
    }

    async unsubscribe(filter: string): Promise<void> {
        this.sent.push(`-${filter}`);
        if (!this.answers) throw new GatewayError("GW_NOT_CONNECTED", "gone");
    }

    take(): string[] {
        return this.sent.splice(0);
    }
}

class Notes implements StateStore {
    readonly kept = new Map<string, string>();
    readonly events: string[] = [];
    *entries(): Iterable<[string, string]> {
        yield* this.kept;
    }
    put(_kind: string, key: string, value: string): void {
        this.kept.set(key, value);
    }
    remove(_kind: string, key: string): void {
        this.kept.delete(key);
    }
    async flush(): Promise<void> {
        this.events.push(`flushed ${this.kept.size}`);
    }
}

class User {
    readonly refusals: (string | undefined)[] = [];
    rejectionChanged(error: GatewayError | undefined): void {
        this.refusals.push(error?.code);
    }
}

/** Devices are checked unless the test says that they have to wait, or that the filter is their check. */
class Registrations {
    readonly answers = new Map<string, RegistrationAnswer>();
    readonly calls: string[] = [];
    readonly held = new Set<string>();
    readonly #clients = new Map<string, Set<RegistrationClient>>();
    register(device: string, _kind: string, client: RegistrationClient): RegistrationAnswer {
        const answer = this.answers.get(device) ?? (this.held.has(device) ? "wait" : "flow");
        if (answer === "wait") this.#clients.set(device, (this.#clients.get(device) ?? new Set()).add(client));
        return answer;
    }
    /** Wakes what waits for the device. */
    wake(device: string): void {
        const clients = this.#clients.get(device) ?? [];
        this.#clients.delete(device);
        for (const client of clients) client.wake(device);
    }
    isHeld(device: string): boolean {
        return this.held.has(device);
    }
    sent(device: string): void {
        this.calls.push(`sent ${device}`);
    }
    acknowledged(device: string): void {
        this.calls.push(`acknowledged ${device}`);
    }
    rejected(device: string): void {
        this.calls.push(`rejected ${device}`);
    }
    withdraw(device: string, client: RegistrationClient): void {
        this.#clients.get(device)?.delete(client);
    }
}

function setUp({ limit, state }: { limit?: FilterLimit; state?: StateStore } = {}) {
    const server = new Server();
    const registration = new Registrations();
    const clock = new FakeClock();
    const warnings: string[] = [];
    const filters = new SubscriptionManager({
        deviceOf: (filter) => deviceOfFilter(platformTopics, filter),
        clock,
        connection: server,
        registration,
        state,
        limit,
        search: { admit: () => "send", acknowledged: () => undefined, withdraw: () => undefined },
        granted: () => undefined,
        warn: (text) => warnings.push(text),
    });
    return { server, registration, warnings, filters, clock };
}

describe("subscription manager", () => {
    it("sends each filter once in a packet of its own, and again on every connection", async () => {
        const { server, filters } = setUp();
        filters.add(command("t", "d1"), 1, new User());
        filters.add(command("t", "d1"), 1, new User());
        filters.add(command("t", "d2"), 1, new User());
        filters.linkUp(false);
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "d1")}`, `+${command("t", "d2")}`]);
        filters.linkDown();
        filters.linkUp(true);
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "d1")}`, `+${command("t", "d2")}`]);
    });

    it("unsubscribes from a filter with its last listener", async () => {
        const { server, filters } = setUp();
        const users = [new User(), new User()];
        filters.linkUp(false);
        for (const user of users) filters.add(command("t"), 1, user);
        await settle();
        server.take();
        for (const [i, user] of users.entries()) {
            filters.remove(command("t"), user);
            await settle();
            assert.deepEqual(server.take(), i === 0 ? [] : [`-${command("t")}`]);
        }
    });

    it("subscribes to a wider filter before it gives up a narrower one, and the other way round", async () => {
        const { server, filters, clock } = setUp();
        const wide = new User();
        filters.linkUp(false);
        filters.add(command("t", "d"), 1, new User());
        await settle();
        filters.add(command(), 1, wide);
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "d")}`, `+${command()}`]);
        clock.advance(250);
        assert.deepEqual(server.take(), [`-${command("t", "d")}`]);
        filters.remove(command(), wide);
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "d")}`]);
        clock.advance(249);
        assert.deepEqual(server.take(), []);
        clock.advance(1);
        assert.deepEqual(server.take(), [`-${command()}`]);
        assert.equal(clock.timerCount, 0);
    });

    it("keeps the old filters if the one that is to take over is refused", async () => {
        const { server, filters, clock } = setUp();
        server.refuses.add(command());
        filters.linkUp(false);
        filters.add(command("t", "d1"), 1, new User());
        filters.add(command("t", "d2"), 1, new User());
        await settle();
        server.take();
        filters.add(command(), 1, new User());
        await settle();
        clock.advance(10_000);
        await settle();
        assert.deepEqual(server.take(), [`+${command()}`]);
    });

    it("notes an old filter for the next run if the gateway closes before it is given up", async () => {
        const state = new Notes();
        const { server, filters, clock } = setUp({ state });
        filters.linkUp(false);
        filters.add(command("t", "d"), 1, new User());
        await settle();
        filters.add(command(), 1, new User());
        await settle();
        server.take();
        filters.linkDown();
        clock.advance(10_000);
        await settle();
        assert.deepEqual([server.take(), [...state.kept.keys()].sort()], [[], [command(), command("t", "d")].sort()]);
        const next = setUp({ state });
        next.filters.add(command(), 1, new User());
        next.filters.linkUp(true);
        await settle();
        next.clock.advance(250);
        assert.ok(next.server.take().includes(`-${command("t", "d")}`));
    });

    it("unsubscribes first if the server limits the number of filters", async () => {
        const limit = { ...maximoFilterLimit, maxFilters: 2 };
        const { server, warnings, filters } = setUp({ limit });
        filters.linkUp(false);
        filters.add(command("t", "d1"), 1, new User());
        filters.add(command("t", "d2"), 1, new User());
        await settle();
        server.take();
        filters.add(command("t", "d3"), 1, new User());
        await settle();
        assert.deepEqual(server.take(), [`-${command("t", "d1")}`, `-${command("t", "d2")}`, `+${command("t")}`]);
        assert.equal(warnings.length, 1);
        assert.match(warnings[0] ?? "", /need 3 subscriptions, but the platform allows 2/);
    });

    it("joins none of the forty-nine filters that Maximo leaves besides the notifications, and the fiftieth only within its type", async () => {
        const { server, warnings, filters } = setUp({ limit: maximoFilterLimit });
        filters.linkUp(false);
        for (let i = 0; i < 48; i++) filters.add(command("t", `d${i}`), 1, new User());
        filters.add(command("other", "d"), 1, new User());
        await settle();
        assert.equal(server.take().length, 49);
        assert.deepEqual(warnings, []);
        filters.add(command("t", "d48"), 1, new User());
        await settle();
        const sent = server.take();
        assert.deepEqual([sent.length, sent.at(-1)], [49, `+${command("t")}`]);
        assert.equal(warnings.length, 1);
    });

    it("sends all filters before any is answered", async () => {
        const { server, filters } = setUp();
        server.subscribe = (filter) => {
            server.sent.push(filter);
            return new Promise(() => undefined);
        };
        for (let i = 0; i < 100; i++) filters.add(command("t", `d${i}`), 1, new User());
        filters.linkUp(false);
        await settle();
        assert.equal(server.take().length, 100);
    });

    it("changes nothing during a deploy, and afterwards only the difference", async () => {
        const { server, filters } = setUp();
        const users = [new User(), new User()];
        filters.linkUp(false);
        filters.add(command("t", "d1"), 1, users[0] ?? new User());
        filters.add(command("t", "d2"), 1, users[1] ?? new User());
        await settle();
        server.take();
        filters.pause();
        filters.remove(command("t", "d1"), users[0] ?? new User());
        filters.remove(command("t", "d2"), users[1] ?? new User());
        await settle();
        filters.add(command("t", "d2"), 1, new User());
        filters.add(command("t", "d3"), 1, new User());
        await settle();
        assert.deepEqual(server.take(), []);
        filters.resume();
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "d3")}`, `-${command("t", "d1")}`]);
    });

    it("restores the previous filters on a connection that returns during a deploy", async () => {
        const { server, filters } = setUp();
        const user = new User();
        filters.linkUp(false);
        filters.add(command("t", "d1"), 1, user);
        await settle();
        server.take();
        filters.pause();
        filters.remove(command("t", "d1"), user);
        filters.linkDown();
        filters.linkUp(true);
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "d1")}`]);
    });

    it("unsubscribes from filters that an earlier run left in a durable session", async () => {
        const state = new Notes();
        const before = setUp({ state });
        before.filters.add(command("t", "old"), 1, new User());
        before.filters.add(command("t", "kept"), 1, new User());
        before.filters.linkUp(false);
        await settle();
        assert.deepEqual([...state.kept.keys()].sort(), [command("t", "kept"), command("t", "old")]);

        const after = setUp({ state });
        after.filters.add(command("t", "kept"), 1, new User());
        after.filters.linkUp(true);
        await settle();
        assert.deepEqual(after.server.take(), [`+${command("t", "kept")}`, `-${command("t", "old")}`]);
        assert.deepEqual([...state.kept.keys()], [command("t", "kept")]);
    });

    it("unsubscribes from filters of an earlier run even if the journal becomes readable only after the connection is established", async () => {
        const state = new Notes();
        const { server, filters } = setUp({ state });
        filters.add(command("t", "kept"), 1, new User());
        filters.linkUp(true);
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "kept")}`]);
        state.kept.set(command("t", "old"), "");
        filters.journalLoaded();
        await settle();
        assert.deepEqual(server.take(), [`-${command("t", "old")}`]);
        assert.deepEqual([...state.kept.keys()], [command("t", "kept")]);
    });

    it("forgets the journal of an earlier run if the server has lost the session", async () => {
        const state = new Notes();
        const { server, filters } = setUp({ state });
        filters.linkUp(false);
        state.kept.set(command("t", "old"), "");
        filters.journalLoaded();
        await settle();
        assert.deepEqual([server.take(), [...state.kept.keys()]], [[], []]);
    });

    it("keeps the journal entry of a filter whose UNSUBSCRIBE was not answered", async () => {
        const state = new Notes();
        const { server, filters } = setUp({ state });
        const user = new User();
        filters.add(command("t"), 1, user);
        filters.linkUp(false);
        await settle();
        server.answers = false;
        filters.remove(command("t"), user);
        await settle();
        assert.deepEqual([...state.kept.keys()], [command("t")]);
    });

    it("records a filter durably before it is sent, and waits for that only once", async () => {
        const state = new Notes();
        const { server, filters } = setUp({ state });
        const sent = server.subscribe.bind(server);
        server.subscribe = (filter, qos) => {
            state.events.push("sent");
            return sent(filter, qos);
        };
        filters.add(command("t"), 1, new User());
        filters.linkUp(false);
        await settle();
        filters.linkDown();
        filters.linkUp(true);
        assert.deepEqual(state.events, ["flushed 1", "sent", "sent"]);
    });

    it("does not send a filter that was given up while its journal entry was being written", async () => {
        const { server, filters } = setUp({ state: new Notes() });
        filters.add(command("t"), 1, new User());
        filters.linkUp(false);
        filters.linkDown();
        await settle();
        assert.deepEqual(server.take(), []);
    });

    it("notifies the listeners of a refused filter, and no others, and again when it is granted after all", async () => {
        const { server, filters } = setUp();
        const [refused, granted] = [new User(), new User()];
        server.refuses.add(command("t", "mine"));
        filters.add(command("t", "mine"), 1, refused);
        filters.add(command("t", "yours"), 1, granted);
        filters.linkUp(false);
        await settle();
        assert.deepEqual([refused.refusals, granted.refusals], [["GW_SUBSCRIBE_REFUSED"], []]);
        server.refuses.clear();
        filters.linkDown();
        filters.linkUp(false);
        await settle();
        assert.deepEqual(refused.refusals, ["GW_SUBSCRIBE_REFUSED", undefined]);
    });

    it("notifies only the listeners of a refused filter when a wider one brings its messages", async () => {
        const { server, filters } = setUp();
        const [refused, elsewhere, gone] = [new User(), new User(), new User()];
        for (const device of ["mine", "gone"]) server.refuses.add(command("t", device));
        server.refuses.add(command("u", "d"));
        filters.linkUp(false);
        filters.add(command("t", "mine"), 1, refused);
        filters.add(command("t", "gone"), 1, gone);
        filters.add(command("u", "d"), 1, elsewhere);
        await settle();
        filters.remove(command("t", "gone"), gone);
        filters.add(command("t"), 1, new User());
        await settle();
        assert.deepEqual(refused.refusals, ["GW_SUBSCRIBE_REFUSED", undefined]);
        for (const user of [elsewhere, gone]) assert.deepEqual(user.refusals, ["GW_SUBSCRIBE_REFUSED"]);
    });

    it("subscribes again to a refused filter for a new listener, so that no status is wrong", async () => {
        const { server, filters } = setUp();
        const [first, second] = [new User(), new User()];
        server.refuses.add(command("t"));
        filters.linkUp(false);
        filters.add(command("t"), 1, first);
        await settle();
        filters.add(command("t"), 1, second);
        await settle();
        assert.deepEqual(second.refusals, ["GW_SUBSCRIBE_REFUSED"]);
        server.refuses.clear();
        filters.add(command("t"), 1, new User());
        await settle();
        assert.equal(first.refusals.at(-1), undefined);
        assert.deepEqual(second.refusals, ["GW_SUBSCRIBE_REFUSED", undefined]);
    });

    it("waits for a slot with a filter of an unknown device, and keeps the old filter until then", async () => {
        const { server, registration, filters, clock } = setUp();
        const wide = new User();
        filters.linkUp(false);
        filters.add(command("t"), 1, wide);
        await settle();
        server.take();
        registration.answers.set("t/new", "wait");
        filters.remove(command("t"), wide);
        filters.add(command("t", "new"), 1, new User());
        await settle();
        assert.deepEqual(server.take(), []);
        registration.answers.set("t/new", "check");
        registration.wake("t/new");
        await settle();
        clock.advance(250);
        assert.deepEqual(server.take(), [`+${command("t", "new")}`, `-${command("t")}`]);
        assert.deepEqual(registration.calls, ["sent t/new", "acknowledged t/new"]);
    });

    it("does not keep an old filter for one of a held device: other commands would arrive twice for hours", async () => {
        const { server, registration, filters, clock } = setUp();
        const wide = new User();
        filters.linkUp(false);
        filters.add(command("t"), 1, wide);
        await settle();
        server.take();
        registration.held.add("t/held");
        filters.remove(command("t"), wide);
        filters.add(command("t", "held"), 1, new User());
        filters.add(command("t", "known"), 1, new User());
        await settle();
        clock.advance(250);
        assert.deepEqual(server.take(), [`+${command("t", "known")}`, `-${command("t")}`]);
        registration.held.clear();
        registration.wake("t/held");
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "held")}`]);
    });

    it("takes no slot for a filter that is given up or changed while its journal entry is being written", async () => {
        const state = new Notes();
        let written = () => {};
        state.flush = () =>
            new Promise((resolve) => {
                written = resolve;
            });
        const { server, registration, filters } = setUp({ state });
        const user = new User();
        for (const device of ["t/raised", "t/gone"]) registration.answers.set(device, "check");
        filters.linkUp(false);
        filters.add(command("t", "gone"), 1, user);
        await settle();
        const goneWritten = written;
        filters.add(command("t", "raised"), 0, new User());
        await settle();
        filters.add(command("t", "raised"), 1, new User());
        filters.remove(command("t", "gone"), user);
        await settle();
        assert.deepEqual(server.take(), [`-${command("t", "gone")}`]);
        goneWritten();
        written();
        await settle();
        assert.deepEqual(server.take(), [`+${command("t", "raised")}`]);
        assert.deepEqual(registration.calls, ["sent t/raised", "acknowledged t/raised"]);
    });

    it("raises the QoS of a filter", async () => {
        const { server, filters } = setUp();
        filters.linkUp(false);
        filters.add(command("t"), 0, new User());
        await settle();
        filters.add(command("t"), 2, new User());
        await settle();
        filters.add(command("t"), 1, new User());
        await settle();
        assert.deepEqual(server.take(), [`+${command("t")}`, `+${command("t")}`]);
    });

    it("handles ten thousand devices, and ten thousand others after a deploy", async () => {
        const { server, filters } = setUp({ state: new Notes() });
        const users = Array.from({ length: 10_000 }, () => new User());
        for (const [i, user] of users.entries()) filters.add(command("t", `a${i}`), 1, user);
        filters.linkUp(false);
        await settle();
        assert.equal(server.take().length, 10_000);
        filters.pause();
        for (const [i, user] of users.entries()) {
            filters.remove(command("t", `a${i}`), user);
            filters.add(command("t", `b${i}`), 1, user);
        }
        filters.resume();
        await settle();
        assert.equal(server.take().length, 20_000);
    });
});
