import { type Simulator, startSimulator } from "./simulator";

/** A share in the simulator of a port. */
export interface SimulatorLease {
    readonly simulator: Simulator;
    /** Gives the share back. The last release closes the simulator. Releasing twice has no effect. */
    release(): Promise<void>;
}

interface Shared {
    starting: Promise<Simulator>;
    users: number;
}

const byPort = new Map<number, Shared>();
const ending = new Map<number, Promise<void>>();

/**
 * The simulator on a port of this machine. The first call of this process starts it, further calls share it. MQTT is on `port`, the
 * HTTP API on the next one. Any organisation and any token are accepted, including none, and plain MQTT clients. Rejects with a
 * `PortError`.
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
    const shared: Shared = { starting: before.then(() => startSimulator({ port, plain: true, logSize: 0 })), users: 0 };
    // The callers await this promise and get the error. Until they do, it must not count as unhandled.
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
