import type { SimulatorLease } from "../simulator/shared";
import type { Simulator } from "../simulator/simulator";

/** A gateway's share in the built-in simulator. The simulator's code is loaded only by the first gateway that opens a share. */
export class EmbeddedSimulator {
    readonly #port: number;
    #lease: SimulatorLease | undefined;
    #isClosed = false;

    constructor(port: number) {
        this.#port = port;
    }

    /** The simulator, while it runs. */
    get simulator(): Simulator | undefined {
        return this.#isClosed ? undefined : this.#lease?.simulator;
    }

    /** Starts the simulator, or joins the one that runs on this port. Rejects when the port is taken by something else. */
    async open(): Promise<void> {
        // Loaded synchronously: a client that plays the application may connect right after this call.
        const { acquireSimulator }: typeof import("../simulator/shared") = require("../simulator/shared");
        const lease = await acquireSimulator(this.#port);
        if (this.#isClosed) await lease.release();
        else this.#lease = lease;
    }

    /** Gives the share back; one that is being opened is given back when it is. */
    async close(): Promise<void> {
        this.#isClosed = true;
        await this.#lease?.release();
    }
}
