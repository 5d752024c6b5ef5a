import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import { translate } from "../i18n";

/** A deploy that was announced has failed when the flows have not stopped by then. */
const maxAnnouncedMs = 5_000;
/** A kept gateway waits no longer than this for the flows to start again. */
const maxLingerMs = 15_000;
/** Node-RED gives a node 15 s to close; a gateway takes a third of it at most. */
const closeDeadlineMs = 4_500;

/**
 * One gateway for each identity, shared by everyone who leases it, opened with the first lease and closed with the last. A
 * deploy that leaves a gateway's settings unchanged keeps it connected while the flows stop and start.
 */
export class GatewayPool<G extends PooledGateway> {
    readonly #clock: Clock;
    readonly #entries = new Map<string, Entry<G>>();
    /** By what only one gateway may use at a time: its identity, and its client at the server. */
    readonly #closing = new Map<string, Promise<void>>();
    #deploy: Deploy | undefined;
    #announced: Timer | undefined;
    #flowsRun = false;

    constructor(clock: Clock) {
        this.#clock = clock;
    }

    /**
     * A share in the gateway of an identity; it connects when the flows have started, or at once when they run.
     * @throws GW_CONFIG when the identity is in use with other settings, or the client id at that server with another identity
     */
    lease(request: LeaseRequest<G>): GatewayLease<G> {
        let entry = this.#entries.get(request.key);
        if (entry && entry.fingerprint !== request.fingerprint) {
            if (entry.leases > 0) throw sameIdentityError(request.key);
            // Kept over the deploy, but the settings are new: its successor starts when it has closed.
            void this.#close(entry);
            entry = undefined;
        }
        if (!entry) this.#claimClient(request);
        entry ??= this.#open(request);
        entry.linger?.cancel();
        entry.leases += 1;
        for (const source of request.sources) entry.sources.add(source);
        if (this.#flowsRun) this.#start(entry);
        return { gateway: entry.gateway, release: this.#releaseOnce(entry) };
    }

    /**
     * The flows will stop in a moment: commands wait from now on, so that none is on its way between two nodes when they do,
     * where Node-RED would lose it. They go on when the flows have not stopped within 5 s.
     */
    deployAnnounced(): void {
        this.#announced?.cancel();
        this.#announced = this.#clock.setTimer(maxAnnouncedMs, () => {
            this.#announced = undefined;
            if (this.#flowsRun) for (const { gateway } of this.#entries.values()) gateway.flowsStarted();
        });
        for (const { gateway } of this.#entries.values()) gateway.flowsStopping();
    }

    /** Whether the gateway of an identity is in use, or will be after a deploy. */
    isOpen(key: string): boolean {
        return this.#entries.has(key);
    }

    /** The flows are about to stop. */
    flowsStopping(deploy: Deploy): void {
        this.#announced?.cancel();
        this.#announced = undefined;
        this.#deploy = deploy;
        this.#flowsRun = false;
        for (const { gateway } of this.#entries.values()) gateway.flowsStopping();
    }

    /** The flows have started: gateways without a lease close, the others connect. Commands go on unless the next deploy is announced. */
    flowsStarted(): void {
        this.#deploy = undefined;
        this.#flowsRun = true;
        for (const entry of [...this.#entries.values()]) {
            if (entry.leases === 0) {
                void this.#close(entry);
            } else {
                this.#start(entry);
                if (this.#announced) entry.gateway.flowsStopping();
                else entry.gateway.flowsStarted();
            }
        }
    }

    /** Two clients with one id would end each other's connection. One that is only kept over the deploy gives way. */
    #claimClient(request: LeaseRequest<G>): void {
        for (const entry of this.#entries.values()) {
            if (entry.client !== clientOf(request)) continue;
            if (entry.leases > 0) throw sameClientError(entry.key, request);
            void this.#close(entry);
        }
    }

    #open(request: LeaseRequest<G>): Entry<G> {
        const { key, fingerprint, create } = request;
        const entry: Entry<G> = {
            key,
            client: clientOf(request),
            fingerprint,
            sources: new Set(),
            gateway: create(),
            leases: 0,
            isStarted: false,
            closing: undefined,
            linger: undefined,
        };
        this.#entries.set(key, entry);
        return entry;
    }

    #start(entry: Entry<G>): void {
        if (entry.isStarted) return;
        entry.isStarted = true;
        const predecessors = namesOf(entry).flatMap((name) => this.#closing.get(name) ?? []);
        if (predecessors.length === 0) entry.gateway.start();
        // Two gateways of one identity at a time would end each other's connection and contend for one file.
        else
            void Promise.all(predecessors).then(() => {
                if (!entry.closing) entry.gateway.start();
            });
    }

    #releaseOnce(entry: Entry<G>): () => Promise<void> {
        let released: Promise<void> | undefined;
        return () => {
            released ??= this.#release(entry);
            return released;
        };
    }

    #release(entry: Entry<G>): Promise<void> {
        entry.leases -= 1;
        if (entry.leases > 0) return Promise.resolve();
        if (!this.#isKept(entry)) return this.#close(entry);
        entry.linger = this.#clock.setTimer(maxLingerMs, () => void this.#close(entry));
        return Promise.resolve();
    }

    /** Whether the flows will most likely lease it again as it is. When in doubt, not. */
    #isKept({ sources }: Entry<G>): boolean {
        const deploy = this.#deploy;
        return deploy?.isChange === true && ![...sources].some((source) => deploy.affected.has(source));
    }

    #close(entry: Entry<G>): Promise<void> {
        entry.linger?.cancel();
        if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
        if (entry.closing) return entry.closing;
        const closing = entry.gateway.close(closeDeadlineMs).catch(() => undefined);
        entry.closing = closing;
        for (const name of namesOf(entry)) {
            const all = Promise.all([this.#closing.get(name), closing]).then(() => {
                if (this.#closing.get(name) === all) this.#closing.delete(name);
            });
            this.#closing.set(name, all);
        }
        return closing;
    }
}

/** What the pool needs of a gateway. */
export interface PooledGateway {
    /** Opens the outbox and the connection. Called once, when nothing else uses this identity any more. */
    start(): void;
    /** The flows are about to stop or change: withhold commands and keep the filters. May be called again. */
    flowsStopping(): void;
    /** The flows run: hand over what was withheld and bring the filters up to date. */
    flowsStarted(): void;
    /** Stores the events that are not safe yet and disconnects. Settles within the deadline. */
    close(deadlineMs: number): Promise<void>;
}

/** A share in a gateway. */
export interface GatewayLease<G> {
    readonly gateway: G;
    /** Gives the share back. Settles when the gateway has closed, or at once when it stays open. */
    release(): Promise<void>;
}

/** Who wants which gateway. */
export interface LeaseRequest<G> {
    /** The identity: one gateway for each. */
    readonly key: string;
    /** What it is to the server, which takes one connection of each client. */
    readonly clientId: string;
    readonly server: string;
    /** Everything that makes two gateways of one identity different, secrets included; only ever compared. */
    readonly fingerprint: string;
    /** The ids of the nodes the settings come from: the config node and what it refers to. */
    readonly sources: readonly string[];
    create(): G;
}

/** What Node-RED reports about a deploy. */
export interface Deploy {
    /** Whether it is a deploy with a list of changes, after which the flows start again; a shutdown is not. */
    readonly isChange: boolean;
    /** The ids of the nodes that are changed or removed. */
    readonly affected: ReadonlySet<string>;
}

interface Entry<G> {
    readonly key: string;
    readonly client: string;
    readonly fingerprint: string;
    readonly sources: Set<string>;
    readonly gateway: G;
    leases: number;
    isStarted: boolean;
    closing: Promise<void> | undefined;
    linger: Timer | undefined;
}

/** The error of a second configuration with the identity `key` and other settings. */
export function sameIdentityError(key: string): GatewayError {
    return new GatewayError("GW_CONFIG", translate("gateway.sameIdentity", { identity: key }));
}

function sameClientError(identity: string, { clientId, server }: LeaseRequest<unknown>): GatewayError {
    return new GatewayError("GW_CONFIG", translate("gateway.sameClientId", { identity, clientId, server }));
}

/** The client and its server. No identity contains a blank. */
function clientOf({ clientId, server }: LeaseRequest<unknown>): string {
    return `${clientId} ${server}`;
}

function namesOf({ key, client }: Entry<unknown>): string[] {
    return [key, client];
}
