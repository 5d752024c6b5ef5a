import type { GatewayConnection } from "../../connection/gateway-connection";
import type { SentPacket } from "../../connection/sent-packet";
import { type GatewayError, toGatewayError } from "../../errors";
import type { SuspectSearch } from "../suspects/suspect-search";
import type { SuspectClient } from "../suspects/trial";
import { closingFilterError, subscriptionRejectedError } from "./subscription-errors";

/** How long the first subscription may take; until it is answered no event goes out. */
const deadlineMs = 30_000;

/**
 * The first subscription of each connection. A refused event is acknowledged like any other: nothing is sent before the notifications can be
 * received. Protocol, section Events.
 */
export class NotificationFilter {
    readonly #options: NotificationFilterOptions;
    /** Counts connections, so that what one of them started late does not act on the next. */
    #connectionNumber = 0;

    constructor(options: NotificationFilterOptions) {
        this.#options = options;
    }

    /** Subscribes on a new connection. `answered` is called with each answer: a filter that was left out may be granted later. */
    subscribe(answered: (rejection: GatewayError | undefined) => void): void {
        this.#connectionNumber += 1;
        void this.#subscribe(this.#connectionNumber, answered);
    }

    /** The connection has ended, or is to. A subscription that is answered from now on starts nothing. */
    end(): void {
        this.#connectionNumber += 1;
    }

    async #subscribe(connectionNumber: number, answered: (rejection: GatewayError | undefined) => void): Promise<void> {
        const { filter, connection, search, mayBeLeftOut } = this.#options;
        const packet: SentPacket = { kind: "filter", name: filter, device: undefined, qos: 0, bytes: 0 };
        const client: SuspectClient = {
            wake: () => {
                if (connectionNumber === this.#connectionNumber) void this.#subscribe(connectionNumber, answered);
            },
            acquitted: () => undefined,
            struck: () => undefined,
            condemned: () => undefined,
        };
        const admitted = mayBeLeftOut ? search.admit(packet, client) : "send";
        if (admitted === "wait") return;
        let rejection: GatewayError | undefined;
        try {
            if (admitted === "blocked") throw closingFilterError(filter);
            await connection.subscribe(filter, 0, deadlineMs);
        } catch (thrown) {
            rejection = subscriptionRejectedError(filter, toGatewayError(thrown, "GW_SUBSCRIBE_REFUSED"));
        }
        if (connectionNumber !== this.#connectionNumber) return;
        if (admitted === "test") search.acknowledged(packet);
        answered(rejection);
    }
}

interface NotificationFilterOptions {
    readonly filter: string;
    readonly connection: Pick<GatewayConnection, "subscribe">;
    readonly search: Pick<SuspectSearch, "admit" | "acknowledged">;
    /** Only a broker of one's own may do without notifications; the platform refuses a subscription by its return code. */
    readonly mayBeLeftOut: boolean;
}
