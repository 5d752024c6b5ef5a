import { type Simulator, startSimulator } from "./simulator";

/** A share in the platform of a port. */
export interface SimulatorLease {
    readonly simulator: Simulator;
    /** Gives the share back; the last one to do so ends the platform. Doing it twice changes nothing. */
    release(): Promise<void>;
}

interface Shared {
    starting: Promise<Simulator>;
    users: number;
}

const byPort = new Map<number, Shared>();
const ending = new Map<number, Promise<void>>();

/**
 * The platform on a port of this machine, started by the first who asks and shared by all others of this process. MQTT is on
 * `port`, the HTTP API on the next one; any organisation and any token, also none, are accepted. Rejects with a `PortError`.
 */
export async function acquireSimulator(port: number): Promise<SimulatorLease> {
    const shared = byPort.get(port) ?? begin(port);
    shared.users++;
    let released: Promise<void> | undefined;
    const release = (): Promise<void> => {
        released ??= leave(port, shared);
        return released;
    };
    try {
        return { simulator: await shared.starting, release };
    } catch (error) {
        await release();
        throw error;
    }
}

function begin(port: number): Shared {
    const before = ending.get(port) ?? Promise.resolve();
    const shared: Shared = { starting: before.then(() => startSimulator({ port, logSize: 0 })), users: 0 };
    // Whoever awaits the lease gets the error; this only keeps it from counting as unhandled in between.
    shared.starting.catch(() => undefined);
    byPort.set(port, shared);
    return shared;
}

async function leave(port: number, shared: Shared): Promise<void> {
    shared.users--;
    if (shared.users > 0) return;
    if (byPort.get(port) === shared) byPort.delete(port);
    const closed = shared.starting.then(
        (simulator) => simulator.close(),
        () => undefined,
    );
    ending.set(port, closed);
    await closed;
    if (ending.get(port) === closed) ending.delete(port);
}
