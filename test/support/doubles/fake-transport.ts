import type { DialStage } from "../../../src/connection/dial";
import type { LinkListener } from "../../../src/connection/link";
import type { SubscribeAnswer, Transport, TransportFactory, TransportOptions, TransportOwner } from "../../../src/connection/transport";
import type { Qos } from "../../../src/protocol/qos";

/** A transport whose other end is the test. */
export class FakeTransport implements Transport {
    readonly traffic = { receivedBytes: 0, sentBytes: 0, incomingPacket: 0 };
    readonly published: { topic: string; qos: Qos; settled: () => void }[] = [];
    readonly subscribed: { filter: string; answered: (answer: SubscribeAnswer) => void }[] = [];
    readonly unsubscribed: { filter: string; answered: (acknowledged: boolean) => void }[] = [];
    stage: DialStage = "open";
    isWritable = true;
    isReadingHeld = false;
    mayHandOver = true;
    pings = 0;
    end: "none" | "disconnected" | "destroyed" = "none";
    /** Whether it reports its end when it is closed, as a socket that works does. */
    reportsEnd = true;

    constructor(
        readonly options: TransportOptions,
        readonly owner: TransportOwner,
        readonly listener: LinkListener,
    ) {}

    get progress() {
        return { stage: this.stage };
    }

    publish(topic: string, _payload: string | Buffer, qos: Qos, settled: () => void): void {
        this.published.push({ topic, qos, settled });
        this.traffic.sentBytes += topic.length;
    }

    subscribe(filter: string, _qos: Qos, answered: (answer: SubscribeAnswer) => void): void {
        this.subscribed.push({ filter, answered });
    }

    unsubscribe(filter: string, answered: (acknowledged: boolean) => void): void {
        this.unsubscribed.push({ filter, answered });
    }

    ping(): void {
        this.pings++;
        this.traffic.sentBytes += 2;
    }

    holdReading(isHeld: boolean): void {
        this.mayHandOver = !isHeld;
    }

    disconnect(): void {
        this.end = "disconnected";
        if (this.reportsEnd) this.owner.ended({ kind: "closed", stage: this.stage });
    }

    destroy(): void {
        this.end = "destroyed";
        if (this.reportsEnd) this.owner.ended({ kind: "closed", stage: this.stage });
    }
}

/** A factory that keeps every transport it made, the latest last. */
export function fakeTransports(): { factory: TransportFactory; made: FakeTransport[]; latest(): FakeTransport } {
    const made: FakeTransport[] = [];
    return {
        made,
        factory: (options, owner, listener) => {
            const transport = new FakeTransport(options, owner, listener);
            made.push(transport);
            return transport;
        },
        latest() {
            const transport = made.at(-1);
            if (!transport) throw new Error("No connection was attempted");
            return transport;
        },
    };
}
