import { BackOff } from "../../../src/connection/reconnect-policy";
import type { EndVerdict, SentPacket } from "../../../src/connection/sent-packet";
import { SuspectSearch } from "../../../src/gateway/suspects/suspect-search";
import type { SuspectLink } from "../../../src/gateway/suspects/suspect-test";
import type { SuspectClient } from "../../../src/gateway/suspects/trial";
import { FakeClock } from "./fake-clock";

/** What a server does with a packet. Its answer takes one round trip of the line. */
export type ServerReaction =
    | "accept"
    | "close"
    | "never"
    /** Acknowledges, and closes so many milliseconds later. */
    | { readonly acceptThenCloseMs: number };

/**
 * A gateway in few lines, with a real search for suspects: devices whose events are sent in order, subscriptions, a line with a round trip
 * and a server that reacts to each packet. Its connection comes back with the real back-off.
 */
export class SearchWorld {
    readonly clock = new FakeClock();
    readonly search: SuspectSearch;
    /** Names of the events that arrived and were acknowledged, in order. */
    readonly delivered: string[] = [];
    readonly condemned: string[] = [];
    readonly strikes: string[] = [];
    readonly verdicts: EndVerdict["reason"][] = [];
    /** When each connection could be used and when it ended. */
    readonly connections: { onlineMs: number; endMs: number | undefined; isCareful: boolean }[] = [];
    roundTripMs = 10;
    /** What the server makes of a packet. */
    react: (packet: SentPacket) => ServerReaction = () => "accept";
    /** Packets at which the line goes dead. */
    dies: (packet: SentPacket) => boolean = () => false;
    /** What the line does with each connection: it is cut, or goes dead, so many milliseconds after the CONNECT. */
    fate: () => { readonly cutMs?: number; readonly deadMs?: number } = () => ({});
    readonly #window: number;
    readonly #queues = new Map<string, QueuedEvent[]>();
    readonly #waiting = new Set<string>();
    readonly #filters: string[] = [];
    readonly #client: SuspectClient = {
        wake: ({ device = "" }) => {
            this.#waiting.delete(device);
            this.#pump();
        },
        acquitted: ({ device = "" }) => this.#settle(device, "delivered"),
        struck: ({ name }) => this.strikes.push(name),
        condemned: ({ device = "" }) => this.#settle(device, "condemned"),
    };
    #connection: WorldConnection | undefined;
    readonly #backOff = new BackOff(() => 0.5);
    #events = 0;
    #isPumping = false;

    constructor({ window = 100 }: { readonly window?: number } = {}) {
        this.#window = window;
        this.search = new SuspectSearch(this.clock, { holdMs: 600_000 }, { resumed: () => this.#pump(), changed: () => undefined });
        this.search.attach(this.#client);
    }

    /** Adds an event; its topic is `device/event id`. */
    publish(device: string, eventId = "e", bytes = 100): void {
        const queue = this.#queues.get(device) ?? [];
        this.#queues.set(device, queue);
        this.#events += 1;
        queue.push({ seq: this.#events, packet: { kind: "event", name: `${device}/${eventId}`, device, qos: 1, bytes }, state: "waiting" });
        this.#pump();
    }

    subscribe(filter: string): void {
        this.#filters.push(filter);
    }

    get waiting(): number {
        return [...this.#queues.values()].reduce((sum, { length }) => sum + length, 0);
    }

    /** The devices that have events waiting or in flight. */
    get waitingDevices(): Iterable<string> {
        return this.#queues.keys();
    }

    /** The topics of their events, device by device. */
    get waitingTopics(): string[][] {
        return [...this.#queues.values()].map((queue) => queue.map(({ packet }) => packet.name));
    }

    get isOnline(): boolean {
        return this.#connection?.isUsed === true;
    }

    connect(): void {
        const isCareful = this.search.isNextCareful;
        const connection = new WorldConnection(this.clock, this.roundTripMs, this.dies, (livedMs) => this.#ended(connection, livedMs));
        this.#connection = connection;
        const { cutMs, deadMs } = this.fate();
        if (deadMs !== undefined) connection.after(deadMs, () => connection.goDead());
        if (cutMs !== undefined) connection.after(cutMs, () => connection.end());
        // CONNACK, and on a careful connection a ping and a second in which nothing is sent.
        const proofMs = isCareful ? this.roundTripMs + 1_000 : 0;
        connection.answer(proofMs, () => this.#online(connection, isCareful));
    }

    /** The server or the network ends the connection now. */
    cut(): void {
        this.#connection?.end();
    }

    #online(connection: WorldConnection, isCareful: boolean): void {
        connection.onlineMs = this.clock.monotonicMs();
        this.connections.push({ onlineMs: connection.onlineMs, endMs: undefined, isCareful });
        this.search.connected(connection);
        connection.answer(0, () => {
            connection.isUsed = true;
            this.search.linkUp();
            for (const filter of this.#filters) this.#subscribe(connection, filter);
            this.#waiting.clear();
            this.#pump();
        });
    }

    #subscribe(connection: WorldConnection, filter: string): void {
        const packet: SentPacket = { kind: "filter", name: filter, device: undefined, qos: 1, bytes: 0 };
        const answer = this.search.admit(packet, {
            wake: () => this.#connection === connection && this.#subscribe(connection, filter),
            acquitted: () => undefined,
            struck: () => this.strikes.push(filter),
            condemned: () => this.condemned.push(filter),
        });
        if (answer === "wait" || answer === "blocked") return;
        connection.send(packet, this.react, true, () => {
            connection.answered.push(filter);
            this.search.acknowledged(packet);
        });
    }

    #pump(): void {
        const connection = this.#connection;
        if (this.#isPumping || !connection?.isUsed) return;
        this.#isPumping = true;
        for (let hasSent = true; hasSent; ) {
            hasSent = false;
            for (const [device, queue] of this.#queues) {
                if (!this.search.allowsEvents || connection.dueCount >= this.#window) break;
                const event = queue.find(({ state }) => state === "waiting");
                if (!event || this.#waiting.has(device) || queue.some(({ state }) => state === "testing")) continue;
                if (this.#send(connection, device, event)) hasSent = true;
            }
        }
        this.#isPumping = false;
    }

    #send(connection: WorldConnection, device: string, event: QueuedEvent): boolean {
        const asked = this.search.ask(device);
        const answer = asked === "wait" ? asked : this.search.admit(event.packet, this.#client, event.seq);
        if (answer === "wait" || answer === "blocked") {
            this.#waiting.add(device);
            return false;
        }
        event.state = answer === "test" ? "testing" : "sent";
        const isTest = answer === "test";
        connection.send(event.packet, this.react, isTest, () => {
            if (isTest) this.search.acknowledged(event.packet);
            else this.#remove(device, event, "delivered");
            this.#pump();
        });
        return true;
    }

    #settle(device: string, outcome: "delivered" | "condemned"): void {
        const event = this.#queues.get(device)?.find(({ state }) => state === "testing");
        if (event) this.#remove(device, event, outcome);
        this.#waiting.delete(device);
        this.#pump();
    }

    #remove(device: string, event: QueuedEvent, outcome: "delivered" | "condemned"): void {
        const queue = this.#queues.get(device) ?? [];
        const index = queue.indexOf(event);
        if (index < 0) return;
        queue.splice(index, 1);
        if (queue.length === 0) {
            this.#queues.delete(device);
            this.search.withdraw({ kind: "event", name: event.packet.name, device });
        }
        this[outcome].push(event.packet.name);
    }

    #ended(connection: WorldConnection, livedMs: number): void {
        if (this.#connection !== connection) return;
        this.#connection = undefined;
        const record = this.connections.at(-1);
        if (record && connection.onlineMs !== undefined) record.endMs = this.clock.monotonicMs();
        const verdict = this.search.ended({
            isUnplanned: true,
            livedMs,
            wasUsed: connection.onlineMs !== undefined,
            last: connection.last(),
            answeredFilters: connection.answered,
        });
        this.verdicts.push(verdict.reason);
        for (const queue of this.#queues.values()) for (const event of queue) event.state = "waiting";
        if (verdict.reason === "culprit" || verdict.isLinkProven) this.#backOff.reset();
        this.clock.setTimer(this.#backOff.nextDelayMs(livedMs), () => this.connect());
    }
}

interface QueuedEvent {
    readonly seq: number;
    readonly packet: SentPacket;
    state: "waiting" | "sent" | "testing";
}

/** One connection: packets reach the server after half a round trip, answers come after the other half, until it ends or goes dead. */
class WorldConnection implements SuspectLink {
    acknowledgedCount = 0;
    onlineMs: number | undefined;
    isUsed = false;
    readonly answered: string[] = [];
    readonly #clock: FakeClock;
    readonly #halfTripMs: number;
    readonly #dies: (packet: SentPacket) => boolean;
    readonly #ended: (livedMs: number) => void;
    readonly #startMs: number;
    readonly #unacknowledged: { packet: SentPacket; sentMs: number; mayBeWithheld: boolean }[] = [];
    readonly #recent: { packet: SentPacket; ms: number }[] = [];
    #lastSignMs: number;
    #isDead = false;
    #isClosedByServer = false;
    #isOver = false;

    constructor(clock: FakeClock, roundTripMs: number, dies: (packet: SentPacket) => boolean, ended: (livedMs: number) => void) {
        this.#dies = dies;
        this.#clock = clock;
        this.#halfTripMs = roundTripMs / 2;
        this.#ended = ended;
        this.#startMs = clock.monotonicMs();
        this.#lastSignMs = this.#startMs;
    }

    /** The gateway's own rule: one acknowledgement has been missing for five minutes while the connection works. */
    checkAcknowledgements(): void {
        const [oldest] = this.#unacknowledged;
        const isMissing = oldest?.packet.kind === "event" && this.#clock.monotonicMs() - oldest.sentMs >= 300_000 && !oldest.mayBeWithheld;
        if (isMissing) this.end();
    }

    get dueCount(): number {
        return this.#unacknowledged.filter(({ packet, mayBeWithheld }) => packet.kind === "event" && !mayBeWithheld).length;
    }

    ping(answered: () => void): void {
        this.answer(0, answered);
    }

    send(packet: SentPacket, react: (packet: SentPacket) => ServerReaction, mayBeWithheld: boolean, acknowledged: () => void): void {
        const pending = { packet, sentMs: this.#clock.monotonicMs(), mayBeWithheld };
        this.after(300_000, () => this.checkAcknowledgements());
        this.#unacknowledged.push(pending);
        if (this.#dies(packet)) this.goDead();
        this.#atServer(() => {
            const reaction = react(packet);
            if (reaction === "never") return;
            if (reaction === "close") {
                this.#close();
                return;
            }
            this.#fromServer(() => {
                this.#unacknowledged.splice(this.#unacknowledged.indexOf(pending), 1);
                this.#recent.push({ packet, ms: this.#clock.monotonicMs() });
                if (packet.kind !== "filter") this.acknowledgedCount += 1;
                acknowledged();
            });
            if (reaction === "accept") return;
            if (reaction.acceptThenCloseMs === 0) this.#close();
            else this.after(reaction.acceptThenCloseMs, () => this.#close());
        });
    }

    /** An answer of the server, after one round trip. */
    answer(delayMs: number, received: () => void): void {
        this.after(delayMs, () => this.#atServer(() => this.#fromServer(received)));
    }

    #atServer(action: () => void): void {
        this.after(this.#halfTripMs, () => {
            if (!this.#isClosedByServer) action();
        });
    }

    #fromServer(action: () => void): void {
        this.after(this.#halfTripMs, () => {
            this.#lastSignMs = this.#clock.monotonicMs();
            action();
        });
    }

    #close(): void {
        this.#isClosedByServer = true;
        this.after(this.#halfTripMs, () => this.end());
    }

    /** Happens only while the connection is there and not dead. */
    after(delayMs: number, action: () => void): void {
        this.#clock.setTimer(delayMs, () => {
            if (!this.#isOver && !this.#isDead) action();
        });
    }

    /** Nothing comes through any more; after a while the gateway notices. */
    goDead(): void {
        this.#isDead = true;
        this.#clock.setTimer(20_000, () => this.end());
    }

    end(): void {
        if (this.#isOver) return;
        this.#isOver = true;
        const endMs = this.#isDead ? this.#lastSignMs : this.#clock.monotonicMs();
        this.#ended(endMs - this.#startMs);
    }

    last() {
        const sign = this.#isDead ? this.#lastSignMs : this.#clock.monotonicMs();
        const newest = this.#recent.at(-1)?.ms ?? 0;
        return {
            unacknowledged: this.#unacknowledged.map(({ packet }) => packet),
            recent: this.#recent.filter(({ ms }) => ms >= sign - 1_000).map(({ packet }) => packet),
            missing: this.#unacknowledged
                .filter(({ packet, sentMs }) => packet.kind === "event" && newest - sentMs >= 10_000)
                .map(({ packet }) => packet),
        };
    }
}
