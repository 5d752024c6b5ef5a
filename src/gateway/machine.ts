import { type Chance, systemChance } from "../chance";
import { type Clock, systemClock } from "../clock";
import { type DialOptions, dial, type RawStream } from "../connection/dial";
import { type MachineBoot, thisBoot } from "../outbox/machine-boot";
import { type GatewayStore, type OpenStoreOptions, openStore } from "../outbox/store/open-store";

/**
 * Everything that a gateway takes from the machine it runs on. A simulation replaces all of it, so that the same seed has the same history.
 */
export interface Machine extends Chance {
    readonly clock: Clock;
    readonly boot: MachineBoot;
    /** Opens the stream to a server; see `dial`. */
    openStream(options: DialOptions): RawStream;
    /** Opens the file of a gateway; see `openStore`. */
    openStore(options: OpenStoreOptions): GatewayStore;
}

/** The machine that this process runs on. */
export const thisMachine: Machine = {
    clock: systemClock,
    boot: thisBoot,
    ...systemChance,
    openStream: dial,
    openStore,
};
