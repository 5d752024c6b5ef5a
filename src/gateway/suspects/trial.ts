import type { SentPacket } from "../../connection/sent-packet";

/** How long a suspect waits after each strike, in milliseconds of a connection that lasts. */
const waitsMs = [10, 30, 60, 120, 300, 600, 1200, 2400, 3600].map((seconds) => seconds * 1000);
const shortestWaitMs = 10_000;
const longestWaitMs = 3_600_000;

/**
 * The case against one device or filter: its strikes, and when it may be tested.
 *
 * | state | meaning | left by |
 * |---|---|---|
 * | `parked` | waits for its first test | `begin` |
 * | `testing` | it has the connection for itself | `strike`, `withhold`, `postpone` |
 * | `withheld` | sent; the server withholds the acknowledgement, and the others go on | `putAside`, `postpone` |
 * | `waiting` | out of the way, while everything else flows | `begin`, once the connection has lasted long enough |
 *
 * The search drops a trial that has passed its test.
 */
export class Trial {
    /** Tells it from every other trial of its search. */
    readonly id: number;
    #client: SuspectClient;
    #packet: SentPacket;
    /** The number of the event that is tested; undefined before the first one, and for other packets. */
    #event: number | undefined;
    #state: TrialState = "parked";
    /** Where the strikes of another event begin. */
    #firstStrikes = 0;
    #strikes = 0;
    #waitMs = 0;
    /** Monotonic: not before that, however long the connection lasts. */
    #notBeforeMs = 0;
    #isUnanswered = false;
    /** Whether its client has something to send. */
    #isClaimed = true;

    constructor(id: number, packet: SentPacket, client: SuspectClient) {
        this.id = id;
        this.#packet = packet;
        this.#client = client;
    }

    get client(): SuspectClient {
        return this.#client;
    }

    /** It waits with this client from now on. */
    claim(client: SuspectClient): void {
        this.#client = client;
        this.#isClaimed = true;
    }

    /** Whether there is something to be tested: what events and filters want to send waits over connections. */
    get isWanted(): boolean {
        return this.#isClaimed || isQueued(this.#packet);
    }

    /** Its turn has come, and it need not be alone. */
    get isTurnAmongOthers(): boolean {
        return this.#isUnanswered && this.#state === "testing";
    }

    /** The packet that was sent last, or is to be. */
    get packet(): SentPacket {
        return this.#packet;
    }

    get state(): TrialState {
        return this.#state;
    }

    /** Whether it waits for a test. */
    get isIdle(): boolean {
        return this.#state === "parked" || this.#state === "waiting";
    }

    get strikes(): number {
        return this.#strikes;
    }

    /** Whether it was put out of the way, and has not passed a test since. */
    get isStruck(): boolean {
        return this.#waitMs > 0;
    }

    /** The server does not acknowledge it, which ends no connection: it need not be alone. */
    get isUnanswered(): boolean {
        return this.#isUnanswered;
    }

    /**
     * When it may be tested on a connection that began at `connectedMs`. After a strike the connection must have lasted for the whole wait:
     * the server has then shown that it does not close it for another reason.
     */
    dueMs(connectedMs: number): number {
        return Math.max(connectedMs + this.#waitMs, this.#notBeforeMs);
    }

    /** Its test begins. */
    begin(): void {
        this.#state = "testing";
    }

    /** Its packet goes out. Another event than the one that was tested before has no strikes of its own. */
    sent(packet: SentPacket, event: number | undefined): void {
        if (this.#event !== undefined && event !== this.#event) this.#strikes = this.#firstStrikes;
        this.#event = event;
        this.#packet = packet;
        this.#isClaimed = false;
    }

    /** The server answers pings and withholds the acknowledgement: it is no reason for an end. */
    withhold(): void {
        this.#state = "withheld";
    }

    /** The test has no result. */
    postpone(): void {
        this.#state = this.isStruck ? "waiting" : "parked";
    }

    /** The connection ended while it was alone. If nothing shows that the connection worked, it waits, but the strike does not count. */
    strike(isProven: boolean): void {
        if (isProven) this.#strikes += 1;
        this.#isUnanswered = false;
        this.#wait(waitsMs[Math.max(this.#strikes, 1) - 1] ?? longestWaitMs);
    }

    /** The connection ended for another reason, which may have been the reason for its strikes as well. */
    forgive(): void {
        this.#firstStrikes = 0;
        this.#strikes = 0;
        if (this.isStruck && !this.#isUnanswered) this.#wait(shortestWaitMs);
    }

    /** The server does not acknowledge it, connection after connection: it waits, longer each time. */
    putAside(): void {
        this.#isUnanswered = true;
        this.#wait(waitsMs.find((waitMs) => waitMs > this.#waitMs) ?? longestWaitMs);
    }

    /** It was given up before: it is held until then, and begins with strikes. */
    hold(strikes: number, untilMs: number): void {
        this.#firstStrikes = strikes;
        this.#strikes = strikes;
        this.#wait(waitsMs[strikes - 1] ?? shortestWaitMs);
        this.#notBeforeMs = untilMs;
    }

    /** The connection is gone. Returns whether the trial goes on: one without a strike is only about this connection. */
    endConnection(): boolean {
        if (this.#state === "withheld" && this.#isUnanswered) this.putAside();
        else if (this.#state !== "waiting") this.postpone();
        this.#isClaimed = false;
        return this.isStruck;
    }

    #wait(waitMs: number): void {
        this.#state = "waiting";
        this.#waitMs = waitMs;
        this.#notBeforeMs = 0;
    }
}

/** Whether its client keeps what it wants to send until it is sent, over connections too. */
export function isQueued({ kind }: Pick<SentPacket, "kind">): boolean {
    return kind === "event" || kind === "filter";
}

export type TrialState = "parked" | "testing" | "withheld" | "waiting";

/** Sends what is suspected. The calls may come from inside any call of the search. */
export interface SuspectClient {
    /** Ask again: it is its turn, or nothing stands against it any more. */
    wake(packet: SentPacket): void;
    /** It passed its test. */
    acquitted(packet: SentPacket): void;
    /** It waits after a strike. */
    struck(packet: SentPacket, strikes: number): void;
    /** It was struck for the last time: what was sent is given up. */
    condemned(packet: SentPacket, strikes: number): void;
}
