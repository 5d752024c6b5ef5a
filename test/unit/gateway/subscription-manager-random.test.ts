import assert from "node:assert/strict";
import fc from "fast-check";
import type { RegistrationAnswer, RegistrationClient } from "../../../src/devices/registration/registration-types";
import { GatewayError } from "../../../src/errors";
import { maximoFilterLimit } from "../../../src/gateway/subscriptions/maximo-limit";
import { SubscriptionManager } from "../../../src/gateway/subscriptions/subscription-manager";
import type { StateStore } from "../../../src/outbox/store/store";
import { deviceOfFilter, gatewayTopics } from "../../../src/protocol/gateway-topics";
import type { Qos } from "../../../src/protocol/qos";
import { SubscriptionTable } from "../../../src/routing/subscription-table";
import { FakeClock } from "../../support/doubles/fake-clock";

const platformTopics = gatewayTopics({ identity: { orgId: "org", typeId: "gw", deviceId: "gw1" }, eventTopic: "", commandTopic: "" });

const settle = () => new Promise((resolve) => setImmediate(resolve));
const slots = 2;

class User {
    refusal: string | undefined;
    rejectionChanged(error: GatewayError | undefined): void {
        this.refusal = error?.code;
    }
}

/** A server and a registration that take their time, refuse and hold as they are told, and a file that is slow. */
class World {
    readonly session = new Map<string, Qos>();
    readonly notes = new Map<string, string>();
    readonly refuses = new Set<string>();
    readonly answers: { give(): void; fail(): void }[] = [];
    readonly flushes: (() => void)[] = [];
    readonly known = new Set<string>();
    readonly held = new Set<string>();
    readonly clock = new FakeClock();
    /** The client whose check is under way, by device; undefined once it has withdrawn. */
    readonly checks = new Map<string, RegistrationClient | undefined>();
    readonly waiting = new Map<string, Set<RegistrationClient>>();
    readonly wanted: SubscriptionTable<User>;
    readonly filters: SubscriptionManager;
    readonly users: { filter: string; user: User }[] = [];
    isOnline = false;
    isHeld = false;

    constructor(
        readonly isDurable: boolean,
        isLimited: boolean,
    ) {
        const limit = isLimited ? { ...maximoFilterLimit, maxFilters: 4 } : undefined;
        this.wanted = new SubscriptionTable(limit);
        const state: StateStore = {
            entries: () => this.notes,
            put: (_kind, key, value) => this.notes.set(key, value),
            remove: (_kind, key) => this.notes.delete(key),
            flush: () => new Promise((resolve) => this.flushes.push(resolve)),
        };
        this.filters = new SubscriptionManager({
            deviceOf: (filter) => deviceOfFilter(platformTopics, filter),
            connection: {
                subscribe: (filter, qos) => {
                    const isRefused = this.refuses.has(filter);
                    if (this.isOnline && !isRefused) this.session.set(filter, qos);
                    return this.#answer(isRefused ? new GatewayError("GW_SUBSCRIBE_REFUSED", "refused") : qos);
                },
                unsubscribe: async (filter) => {
                    if (this.isOnline) this.session.delete(filter);
                    await this.#answer(0);
                },
            },
            clock: this.clock,
            registration: {
                register: (device, _kind, client) => this.#register(device, client),
                isHeld: (device) => this.held.has(device),
                sent: (device) => assert.ok(this.checks.has(device)),
                acknowledged: (device) => {
                    const client = this.checks.get(device);
                    if (!this.checks.delete(device)) return;
                    this.known.add(device);
                    client?.confirm(device);
                    this.wake();
                },
                rejected: (device) => {
                    const client = this.checks.get(device);
                    if (!this.checks.delete(device)) return;
                    this.held.add(device);
                    if (client) this.#wait(device, client);
                    client?.requeue(device);
                    this.wake();
                },
                withdraw: (device, client) => {
                    this.waiting.get(device)?.delete(client);
                    if (this.checks.get(device) === client) this.checks.set(device, undefined);
                },
            },
            state: isDurable ? state : undefined,
            limit,
            search: { admit: () => "send", acknowledged: () => undefined, withdraw: () => undefined },
            granted: () => undefined,
            warn: () => undefined,
        });
    }

    /** Ends the connection, or opens one. */
    toggleLink(): void {
        this.isOnline = !this.isOnline;
        if (!this.isDurable) this.session.clear();
        if (this.isOnline) {
            this.filters.linkUp(this.isDurable && this.session.size > 0);
            return;
        }
        for (const { fail } of this.answers.splice(0)) fail();
        this.filters.linkDown();
        this.checks.clear();
        assert.deepEqual(
            [...this.waiting.values()].flatMap((clients) => [...clients]),
            [],
            "a filter waits on after the connection",
        );
        this.waiting.clear();
    }

    toggleDeploy(): void {
        this.isHeld = !this.isHeld;
        if (this.isHeld) this.filters.pause();
        else this.filters.resume();
    }

    wake(): void {
        for (const [device, clients] of [...this.waiting]) {
            if (this.checks.size >= slots || this.held.has(device)) continue;
            this.waiting.delete(device);
            for (const client of clients) client.wake(device);
        }
    }

    #register(device: string, client: RegistrationClient): RegistrationAnswer {
        if (this.known.has(device)) return "flow";
        if (this.held.has(device) || this.checks.has(device) || this.checks.size >= slots) {
            this.#wait(device, client);
            return "wait";
        }
        this.checks.set(device, client);
        return "check";
    }

    #wait(device: string, client: RegistrationClient): void {
        this.waiting.set(device, (this.waiting.get(device) ?? new Set()).add(client));
    }

    #answer(answer: Qos | GatewayError): Promise<Qos> {
        const gone = new GatewayError("GW_NOT_CONNECTED", "gone");
        if (!this.isOnline) return Promise.reject(gone);
        return new Promise((resolve, reject) => {
            const give = () => (answer instanceof GatewayError ? reject(answer) : resolve(answer));
            this.answers.push({ give, fail: () => reject(gone) });
        });
    }
}

type Step = (world: World) => void;

const commandFilters = fc
    .tuple(fc.constantFrom("t", "u", "+"), fc.constantFrom("1", "2", "3", "+"), fc.constantFrom("x", "+"))
    .map(([typeId, deviceId, commandId]) => `iot-2/type/${typeId}/id/${deviceId}/cmd/${commandId}/fmt/+`);
const anyFilter = fc.oneof({ weight: 9, arbitrary: commandFilters }, fc.constantFrom("iotdm-1/type/t/id/1/#", "iotdm-1/type/+/id/+/#"));
const joins = fc.tuple(anyFilter, fc.constantFrom<Qos>(0, 1, 2)).map(
    ([filter, qos]): Step =>
        (world) => {
            const user = new User();
            world.users.push({ filter, user });
            world.filters.add(filter, qos, user);
            world.wanted.add(filter, qos, user);
        },
);
const leaves = fc.nat().map(
    (number): Step =>
        (world) => {
            const [left] = world.users.splice(number % Math.max(world.users.length, 1), 1);
            if (!left) return;
            world.filters.remove(left.filter, left.user);
            world.wanted.remove(left.filter, left.user);
        },
);
const judges = fc.boolean().map(
    (isAllowed): Step =>
        (world) => {
            if (isAllowed) world.refuses.clear();
            else for (const filter of world.wanted.serverFilters().filters.keys()) world.refuses.add(filter);
        },
);
const answersSome = fc.nat({ max: 4 }).map(
    (count): Step =>
        (world) => {
            for (const { give } of world.answers.splice(0, count)) give();
        },
);
const others = fc.constantFrom<Step>(
    (world) => world.toggleLink(),
    (world) => world.toggleDeploy(),
    (world) => {
        for (const written of world.flushes.splice(0)) written();
    },
    (world) => {
        world.held.clear();
        world.wake();
    },
    (world) => world.clock.advance(200),
);
const steps = fc.array(fc.tuple(fc.oneof(joins, joins, leaves, judges, answersSome, others), fc.boolean()), { maxLength: 60 });

describe("subscription manager, whatever happens", () => {
    it("ends with exactly the wanted filters at the server, in the journal, the slots and the statuses, whatever happens", async () => {
        await fc.assert(
            fc.asyncProperty(fc.boolean(), fc.boolean(), steps, async (isDurable, isLimited, taken) => {
                const world = new World(isDurable, isLimited);
                for (const [step, isSettled] of taken) {
                    step(world);
                    if (isSettled) await settle();
                }
                // In the end all goes well, on a new connection.
                world.refuses.clear();
                if (world.isHeld) world.toggleDeploy();
                if (world.isOnline) world.toggleLink();
                world.toggleLink();
                for (let round = 0; round < 100; round++) {
                    world.held.clear();
                    for (const written of world.flushes.splice(0)) written();
                    for (const { give } of world.answers.splice(0)) give();
                    world.wake();
                    await settle();
                    world.clock.advance(250);
                }
                const { filters } = world.wanted.serverFilters();
                assert.deepEqual([...world.session.keys()].sort(), [...filters.keys()].sort());
                for (const [filter, qos] of filters) assert.ok((world.session.get(filter) ?? -1) >= qos, filter);
                assert.deepEqual([...world.notes.keys()].sort(), isDurable ? [...filters.keys()].sort() : []);
                assert.equal(world.checks.size, 0);
                assert.deepEqual([...new Set(world.users.map(({ user }) => user.refusal))], world.users.length > 0 ? [undefined] : []);
            }),
            { numRuns: 1000 },
        );
    });
});
