import { randomUUID } from "node:crypto";
import { type Clock, systemClock } from "../clock";
import { type DialOptions, dial, type RawStream } from "../connection/dial";
import { type MachineBoot, thisBoot } from "../outbox/machine-boot";
import { type GatewayStore, type OpenStoreOptions, openStore } from "../outbox/store/open-store";

/**
 * Everything that a gateway takes from the machine it runs on. A simulation replaces all of it, so that the same seed has the same history.
 */
export interface Machine {
    readonly clock: Clock;
    readonly boot: MachineBoot;
    /** A number from 0 to below 1. */
    random(): number;
    /** A new id, never the same twice. */
    createId(): string;
    /** Opens the stream to a server; see `dial`. */
    openStream(options: DialOptions): RawStream;
    /** Opens the file of a gateway; see `openStore`. */
    openStore(options: OpenStoreOptions): GatewayStore;
}

/** The machine that this process runs on. */
export const thisMachine: Machine = {
    clock: systemClock,
    boot: thisBoot,
    random: Math.random,
    createId: randomUUID,
    openStream: dial,
    openStore,
};
