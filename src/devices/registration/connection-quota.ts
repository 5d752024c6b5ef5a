/** The platform takes 500 newly checked devices on one connection, of which the gateway is one. Protocol, section Registration of devices. */
const platformLimit = 499;
/** Fewer than this are no connection's limit: another reason for RC 173 must not be learned as one. */
const smallestLimit = 100;

/**
 * Counts devices against the number that the platform newly checks on one connection. It counts those that its front end does
 * not have in memory, which cannot be seen; so these are counted: devices that were never accepted, and, once a known device
 * was refused for the limit, which only a front end with an empty memory does, each device not checked since. The limit is
 * learned from refusals of counted devices, and kept to on the connections that follow.
 */
export class ConnectionQuota {
    #limit: number;
    #limitBefore: number;
    #connection = 0;
    #countedSince = 0;
    #checks = 0;
    #counted = 0;
    #isReached = false;

    /** @param isLimited whether the server has a limit at all */
    constructor(isLimited: boolean) {
        this.#limit = isLimited ? platformLimit : Number.POSITIVE_INFINITY;
        this.#limitBefore = this.#limit;
    }

    /** The number of the connection, from 1. */
    get connection(): number {
        return this.#connection;
    }

    /** How many newly checked devices the server takes on one connection, as far as is known. */
    get limit(): number {
        return this.#limit;
    }

    /** Whether no counted device may be checked on this connection any more. */
    get isReached(): boolean {
        return this.#isReached || this.#counted >= this.#limit;
    }

    /** Whether a front end with an empty memory would refuse the next check of a device that is not counted. */
    get isAtLimit(): boolean {
        return this.#checks === this.#limit && this.#counted < this.#limit;
    }

    /** How many checks were sent on this connection. */
    get checks(): number {
        return this.#checks;
    }

    /** Whether the device is counted, by the number of the connection on which it was checked last. */
    counts(checkedOn: number | undefined): boolean {
        return checkedOn === undefined || checkedOn < this.#countedSince;
    }

    /** A check is sent now. Returns its number among the counted ones of this connection, from 1, if its device is counted. */
    add(isCounted: boolean): number | undefined {
        this.#checks++;
        return isCounted ? ++this.#counted : undefined;
    }

    /** The platform refused the device because of the limit; `number` as `add` gave it. */
    refused(number: number | undefined): void {
        this.#isReached = true;
        if (number === undefined) {
            // What was learned on this connection came from a mixture of counted devices and others.
            this.#countedSince = this.#connection;
            this.#limit = this.#limitBefore;
        } else if (number > smallestLimit) {
            this.#limit = Math.min(this.#limit, number - 1);
        }
    }

    /** The server turns out to register devices. */
    setLimited(): void {
        this.#limit = Math.min(this.#limit, platformLimit);
        this.#limitBefore = this.#limit;
    }

    /** A new connection counts from the start. */
    restart(): void {
        this.#connection++;
        this.#checks = 0;
        this.#counted = 0;
        this.#isReached = false;
        this.#limitBefore = this.#limit;
    }
}
