import type { Qos } from "../protocol/qos";

/** The largest packet that is taken: far more than any command has, and little enough to be held in memory while it comes in. */
export const maxPacketBytes = 16 * 1024 * 1024;

/** What happens on an open connection. The transport calls it directly: nothing in between passes it on. */
export interface LinkListener {
    /**
     * A message came. Its acknowledgement waits until `accepted` is called, at any time, and with it those of all messages that came after it.
     * These come meanwhile. A message that the server sends again because of that is not handed over again, while the session is present.
     */
    messageReceived(message: ReceivedMessage, accepted: () => void): void;
    /** The server sent a malformed ping response: it has dropped something for a device that it did not register. */
    strayPing(): void;
    /** Writing may go on after `isWritable` was false. */
    drained(): void;
}

/** A message as it came from the server. */
export interface ReceivedMessage {
    readonly topic: string;
    readonly payload: Buffer;
    readonly qos: Qos;
    /** The DUP flag: the server may have sent it before. */
    readonly duplicate: boolean;
    readonly retain: boolean;
    /** Present when the message was larger than the gateway takes: its size. Then the payload was dropped and is empty. */
    readonly oversizedBytes?: number | undefined;
}

/** What has moved on a link so far, in bytes of MQTT. */
export interface LinkTraffic {
    /** Received from the server, stray pings included. */
    readonly receivedBytes: number;
    /** Taken by the operating system. */
    readonly sentBytes: number;
    /** The number of the packet of which a part has been received; 0 between two packets. */
    readonly incomingPacket: number;
}
