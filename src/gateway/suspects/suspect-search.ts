import type { Clock } from "../../clock";
import type { EndJudge, EndVerdict, SearchedEnd, SentPacket } from "../../connection/sent-packet";
import { Bystanders } from "./bystanders";
import { MissingAcknowledgements } from "./missing-acknowledgements";
import { SearchedConnection, type SearchedConnectionOwner, type SearchPhase } from "./searched-connection";
import type { SuspectLink } from "./suspect-test";
import { Suspicion } from "./suspicion";
import { isQueued, type SuspectClient, type Trial } from "./trial";
import { type PacketName, type SuspectView, Trials } from "./trials";

/** A connection that ends sooner is short-lived; two of them in a row make the next one careful. */
const shortLifeMs = 10_000;
const carefulAfter = 2;
const condemnedAfter = 5;
/** The strikes that the next event of a device has after as many were given up. */
const inheritedStrikes = 2;
const maxDevices = 1_000;

/**
 * Finds the packet at which a server closes the connection. It gets out of the way at once, and is given up slowly: MQTT 3.1.1 leaves a
 * server no other answer to a packet that it refuses, and a bad line looks the same for a while.
 *
 * A connection is careful (see `SearchedConnection`) after two short-lived ones in a row, until one lasts or a culprit is found. A culprit
 * waits (see `Trial`) and is tested again on a connection that lasts. After five strikes it is given up: an event for good, a filter until
 * the flows are deployed or the hold is over. What has no queue is never given up: after a strike events of QoS 0 on its topic fail until
 * the next test, and device management messages of its kind until a deploy or the end of the hold.
 */
export class SuspectSearch implements SearchedConnectionOwner, EndJudge {
    readonly #clock: Clock;
    readonly #options: SuspectSearchOptions;
    readonly #listener: SuspectSearchListener;
    readonly #suspicion = new Suspicion();
    readonly #missing = new MissingAcknowledgements();
    readonly #trials = new Trials();
    /** Answered "wait" because of another's test; woken when it is over. */
    readonly #bystanders = new Bystanders();
    /** Filters that were answered on an earlier connection of this search. */
    readonly #answeredFilters = new Set<string>();
    /** How many events of a device were given up since one passed its test. */
    readonly #givenUp = new Map<string, number>();
    /** Sends the events of the outbox. */
    #events: SuspectClient | undefined;
    #connection: SearchedConnection | undefined;
    #shortEnds = 0;
    #changes = 0;

    constructor(clock: Clock, options: SuspectSearchOptions, listener: SuspectSearchListener) {
        this.#clock = clock;
        this.#options = options;
        this.#listener = listener;
    }

    /** Called once: who sends the events. */
    attach(events: SuspectClient): void {
        this.#events = events;
    }

    /** Whether the next connection must show first that it works, before anything is sent on it. */
    get isNextCareful(): boolean {
        return this.#shortEnds >= carefulAfter;
    }

    /** Whether events may be sent now, as far as the whole connection is concerned. */
    get allowsEvents(): boolean {
        return this.#connection?.allowsEvents === true;
    }

    /** There is a connection, for the first subscription. */
    connected(link: SuspectLink): void {
        this.#connection = new SearchedConnection(this.#clock, link, this.isNextCareful, this);
        this.#connection.step();
    }

    /** The first subscription is answered: every client may use the connection. */
    linkUp(): void {
        this.#connection?.use();
    }

    /** The connection ended. Returns what is known of the reason. Call it before the clients hear of the end. */
    ended(end: SearchedEnd): EndVerdict {
        const tests = this.#connection?.end() ?? [];
        const isLinkProven = this.#connection?.isProven === true || tests.length > 1;
        this.#connection = undefined;
        this.#bystanders.clear();
        if (end.isUnplanned) for (const packet of this.#missing.connectionEnded(end.last)) this.#putAside(packet);
        const [test] = tests;
        if (end.isUnplanned && test && tests.length === 1) this.#strike(test.trial, test.isProven);
        this.#trials.endConnection();
        if (!end.isUnplanned) return { reason: "unknown", isLinkProven };
        if (test && tests.length === 1) {
            const { packet, strikes } = test.trial;
            return { reason: "culprit", packet, strikes, isCertain: test.acknowledgedMs === undefined };
        }
        for (const trial of this.#trials) trial.forgive();
        if (test) this.#suspicion.add({ unacknowledged: tests.map(({ trial }) => trial.packet), recent: [] });
        else this.#suspect(end);
        return { reason: this.isNextCareful && !this.#suspicion.isEmpty ? "searching" : "unknown", isLinkProven };
    }

    /** May the next event of this device be sent? A `flow` is only known to be no suspect once it is admitted. */
    ask(device: string): "flow" | "test" | "wait" {
        if (this.#isQuiet) return "flow";
        const trial = this.#trials.ofDevice(device);
        if (trial) return this.#connection?.isTurnOf(trial) || trial.isTurnAmongOthers ? "test" : "wait";
        if (!this.#connection?.tested) return "flow";
        if (this.#events) this.#bystanders.add({ kind: "event", name: "", device, qos: 1, bytes: 0 }, this.#events);
        return "wait";
    }

    /**
     * May this be sent now? `test`: it is a suspect's turn, and the client reports the acknowledgement. `wait`: the client keeps it and is
     * woken. `blocked`: a suspect that waits after a strike.
     * @param event the number of an event, which tells it from the next one under the same topic
     */
    admit(packet: SentPacket, client: SuspectClient, event?: number): "send" | "test" | "wait" | "blocked" {
        if (this.#isQuiet) return "send";
        const trial = this.#trials.get(packet);
        if (!trial) return this.#admitUntried(packet, client);
        if (this.#connection?.isTurnOf(trial)) {
            trial.sent(packet, event);
            this.#connection.sent();
            return "test";
        }
        if (trial.isTurnAmongOthers) {
            trial.sent(packet, event);
            trial.withhold();
            return "test";
        }
        if (trial.state !== "waiting") {
            trial.claim(client);
            return "wait";
        }
        if (isQueued(packet)) trial.claim(client);
        else if (this.#connection?.isDue(trial)) {
            trial.claim(client);
            this.#connection.step();
            return "wait";
        }
        return "blocked";
    }

    /** A packet that was sent as a test was acknowledged. */
    acknowledged(packet: SentPacket): void {
        this.#missing.forget(packet.name);
        const trial = this.#trials.get(packet);
        if (trial?.state === "withheld") this.passed(trial);
        else if (trial) this.#connection?.acknowledged(trial);
    }

    /** Nothing is left to be sent for it. */
    withdraw(packet: PacketName): void {
        this.#bystanders.remove(packet);
        const trial = this.#trials.get(packet);
        // Between two connections a client withdraws what it will send again.
        if (trial && this.#connection && trial.state !== "withheld" && !this.#connection.isOnTrial(trial)) this.#drop(trial);
    }

    /** Lets a suspect go. Returns its packet, if there is such a suspect. */
    release(id: number): SentPacket | undefined {
        const trial = this.#trials.find(id);
        if (!trial) return undefined;
        this.#drop(trial);
        trial.client.wake(trial.packet);
        return trial.packet;
    }

    /** The flows were deployed: filters and device management messages that were given up are tried again. */
    flowsStarted(): void {
        for (const trial of [...this.#trials]) {
            const { kind } = trial.packet;
            if (trial.isStruck && (kind === "filter" || kind === "management")) this.release(trial.id);
        }
    }

    /** Whether a device is out of the way. */
    isHeld(device: string): boolean {
        return this.#trials.size > 0 && this.#trials.ofDevice(device)?.isStruck === true;
    }

    /** Whether the connection is careful, or has one suspect alone on it. */
    get isSearching(): boolean {
        return this.#connection !== undefined && (this.#connection.phase !== "open" || this.#connection.tested !== undefined);
    }

    /** How many devices, topics and filters wait because the connection ended after them. */
    get leftOutCount(): number {
        return this.#trials.struckCount;
    }

    /** A number that grows with each change of the suspects. */
    get changes(): number {
        return this.#changes;
    }

    /** Everything that waits for a test, the next one first. */
    suspects(): SuspectView[] {
        const nowMs = this.#clock.monotonicMs();
        return this.#trials.views(nowMs, (trial) => this.#connection?.dueMs(trial) ?? trial.dueMs(nowMs));
    }

    trials(): Iterable<Trial> {
        return this.#trials;
    }

    rankOf({ packet }: Trial): number {
        return this.#suspicion.rankOf(packet);
    }

    phaseChanged(phase: SearchPhase): void {
        if (phase === "open") this.#suspicion.shrink();
        if (phase === "open" || phase === "ramp") this.#wakeBystanders();
        this.#changed();
    }

    testBegan(): void {
        this.#changed();
    }

    testEnded(): void {
        if (this.#connection?.phase === "open") this.#wakeBystanders();
        this.#changed();
    }

    passed(trial: Trial): void {
        const { packet, client } = trial;
        if (packet.kind === "filter") this.#answeredFilters.add(packet.name);
        if (packet.device !== undefined) this.#givenUp.delete(packet.device);
        this.#drop(trial);
        client.acquitted(packet);
    }

    withheld({ packet }: Trial): void {
        if (packet.kind === "event") this.#missing.note(packet);
    }

    unsent(trial: Trial): void {
        this.#drop(trial);
        trial.client.wake(trial.packet);
    }

    /** Stops the timers. */
    close(): void {
        this.#connection?.end();
        this.#connection = undefined;
    }

    /** Nothing is suspected and nothing restricted: the case of nearly every packet. */
    get #isQuiet(): boolean {
        return this.#trials.size === 0 && this.#suspicion.isEmpty && this.#connection?.phase !== "filters";
    }

    #admitUntried(packet: SentPacket, client: SuspectClient): "send" | "wait" {
        if (this.#isSuspected(packet)) {
            this.#trials.open(packet, client);
            this.#connection?.step();
            return "wait";
        }
        if (!this.#connection?.isReserved(packet)) return "send";
        this.#bystanders.add(packet, client);
        return "wait";
    }

    #isSuspected(packet: SentPacket): boolean {
        if (this.#suspicion.has(packet)) return true;
        return packet.kind === "filter" && this.#connection?.phase === "filters" && !this.#answeredFilters.has(packet.name);
    }

    #suspect({ livedMs, wasUsed, last, answeredFilters }: SearchedEnd): void {
        this.#shortEnds = livedMs <= shortLifeMs ? this.#shortEnds + 1 : 0;
        if (this.#shortEnds === 0) this.#answeredFilters.clear();
        else for (const filter of answeredFilters) this.#answeredFilters.add(filter);
        // Before anything was sent it cannot have been the reason.
        if (wasUsed && this.isNextCareful) this.#suspicion.add(last);
        else this.#suspicion.clear();
    }

    #strike(trial: Trial, isProven: boolean): void {
        trial.strike(isProven);
        this.#changes += 1;
        this.#shortEnds = 1;
        this.#suspicion.clear();
        const { packet, strikes, client } = trial;
        client.struck(packet, strikes);
        if (packet.kind === "management") trial.hold(strikes, this.#clock.monotonicMs() + this.#options.holdMs);
        else if (strikes >= condemnedAfter && isQueued(packet)) this.#condemn(trial);
    }

    #condemn(trial: Trial): void {
        const { packet, strikes, client } = trial;
        const heldUntilMs = this.#clock.monotonicMs() + this.#options.holdMs;
        client.condemned(packet, strikes);
        if (packet.kind === "filter") {
            trial.hold(condemnedAfter - 1, heldUntilMs);
            return;
        }
        this.#trials.remove(packet);
        // The next event under this topic is tested before it can end another connection.
        this.#suspicion.add({ unacknowledged: [packet], recent: [] });
        const { device = "" } = packet;
        const givenUp = (this.#givenUp.get(device) ?? 0) + 1;
        if (this.#givenUp.size < maxDevices || this.#givenUp.has(device)) this.#givenUp.set(device, givenUp);
        if (givenUp < inheritedStrikes) return;
        this.#trials.open(packet, client).hold(inheritedStrikes, heldUntilMs);
    }

    #putAside(packet: SentPacket): void {
        if (packet.kind !== "event" || !this.#events) return;
        const trial = this.#trials.get(packet) ?? this.#trials.open(packet, this.#events);
        trial.putAside();
    }

    #drop(trial: Trial): void {
        const { packet } = trial;
        this.#trials.remove(packet);
        this.#suspicion.remove(packet);
        this.#connection?.forget(trial);
        this.#changed();
    }

    #changed(): void {
        this.#changes += 1;
        this.#listener.changed();
    }

    #wakeBystanders(): void {
        this.#bystanders.wakeAll();
        this.#listener.resumed();
    }
}

export interface SuspectSearchOptions {
    /** How long a device or filter is left alone that was given up, in milliseconds. */
    readonly holdMs: number;
}

export interface SuspectSearchListener {
    /** Events may be sent again. */
    resumed(): void;
    /** The suspects, or what is done about them, changed. */
    changed(): void;
}
