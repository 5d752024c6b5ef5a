import type { Qos } from "../protocol/qos";
import type { DialOptions, DialStage, RawStream } from "./dial";
import type { LinkListener, LinkTraffic } from "./link";

/** Opens a connection. May throw what Node throws for certificates it cannot read. */
export type TransportFactory = (options: TransportOptions, owner: TransportOwner, listener: LinkListener) => Transport;

/** One MQTT connection, from opening its stream to its end; never used again. */
export interface Transport {
    readonly traffic: LinkTraffic;
    /** How far the stream got, and over what. */
    readonly progress: DialProgress;
    readonly isWritable: boolean;
    /** Whether a message has come that may not be handed over now, so that nothing is read. */
    readonly isReadingHeld: boolean;
    /** `settled` is called on the acknowledgement (for QoS 0: once handed to the socket), and not at all when the connection ends first. */
    publish(topic: string, payload: string | Buffer, qos: Qos, settled: () => void): void;
    subscribe(filter: string, qos: Qos, answered: (answer: SubscribeAnswer) => void): void;
    unsubscribe(filter: string, answered: (acknowledged: boolean) => void): void;
    ping(): void;
    /** While held, the next message that comes is not handed over, and nothing after it is read. */
    holdReading(isHeld: boolean): void;
    /** Sends DISCONNECT and closes once all bytes are out. Messages that a durable session keeps are left to the next connection. */
    disconnect(): void;
    /** Closes at once, without DISCONNECT. */
    destroy(): void;
}

/** The one who opened a connection and watches over its life. */
export interface TransportOwner {
    connected(sessionPresent: boolean): void;
    /** The server answered a ping. */
    pinged(): void;
    /** Called exactly once, last. */
    ended(end: TransportEnd): void;
}

/** Everything one MQTT connection needs. */
export interface TransportOptions extends DialOptions {
    readonly clientId: string;
    readonly userName?: string | undefined;
    readonly password?: string | undefined;
    readonly keepAliveS: number;
    readonly cleanSession: boolean;
    readonly will?: LastWill | undefined;
    /** The organisation, if the server expects it as the first label of the host name, and it is not. */
    readonly missingOrganisation?: string | undefined;
}

/** The message the server publishes when the connection ends without a DISCONNECT. */
export interface LastWill {
    readonly topic: string;
    readonly payload: string;
    readonly qos: Qos;
}

/** How far a stream got, and over what. */
export type DialProgress = Pick<RawStream, "stage"> & { [Detail in "certificate" | "ownCertificate" | "proxy"]?: RawStream[Detail] };

/** Why and how far into it a connection ended. */
export type TransportEnd =
    | { readonly kind: "closed"; readonly stage: DialStage }
    | ({ readonly kind: "failed"; readonly error: unknown } & DialProgress)
    | { readonly kind: "refused"; readonly returnCode: number }
    /** The server sent what MQTT does not allow, or more than is taken; `detail` says what, in a sentence. */
    | { readonly kind: "violated"; readonly detail: string };

/** Granted quality of service, 128 when refused, or undefined when the connection ended first. */
export type SubscribeAnswer = number | undefined;
