import type { Qos } from "../protocol/qos";

/** A packet that was sent: what is remembered of it when the connection ends. */
export interface SentPacket {
    readonly kind: PacketKind;
    /** The topic of a publish, the filter of a subscription. */
    readonly name: string;
    /** The key of the device that it is for, where it is for one. */
    readonly device: string | undefined;
    readonly qos: Qos;
    /** Size of the payload; 0 of a subscription. */
    readonly bytes: number;
}

/** `event`: a publish of QoS 1 or 2. `direct`: an event of QoS 0. `management`: a device management message. `filter`: a SUBSCRIBE. */
export type PacketKind = "event" | "direct" | "management" | "filter";

/** What was sent last on a connection. */
export interface LastPackets {
    /** Those without an acknowledgement, in the order of sending. */
    readonly unacknowledged: readonly SentPacket[];
    /** Those that were acknowledged, or written and need none, in the last second before the last sign of life; the oldest first. */
    readonly recent: readonly SentPacket[];
    /** Events without an acknowledgement although later ones were acknowledged seconds ago. */
    readonly missing: readonly SentPacket[];
}

/** The end of a connection, with what was sent last. */
export interface SearchedEnd {
    /** Neither side wanted it: the server or the network ended it, or the link was found dead. */
    readonly isUnplanned: boolean;
    /** How long it lived, until its last sign of life. */
    readonly livedMs: number;
    /** Whether anything may have been sent on it. */
    readonly wasUsed: boolean;
    readonly last: LastPackets;
    /** The filters that were answered on it, more than a second before the end. */
    readonly answeredFilters: readonly string[];
}

/** What is known of the reason for an end. */
export type EndVerdict =
    | {
          readonly reason: "culprit";
          readonly packet: SentPacket;
          readonly strikes: number;
          /** It was not acknowledged. Otherwise the end may have had another reason, a moment later. */
          readonly isCertain: boolean;
      }
    | {
          /** `searching`: it has something to do with what was sent, and the next connection looks for it. */
          readonly reason: "searching" | "unknown";
          /** Whether the search got further on the connection: everything that was suspected has passed, or few suspects are left. */
          readonly isLinkProven: boolean;
      };

/** Judges the ends of connections by what was sent. */
export interface EndJudge {
    /** Whether the next connection must show first that it works, before anything is sent on it. */
    readonly isNextCareful: boolean;
    ended(end: SearchedEnd): EndVerdict;
}
