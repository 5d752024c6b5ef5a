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
