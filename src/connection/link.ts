import type { Qos } from "../protocol/qos";

/** What happens on an open connection. The transport calls it directly: nothing in between passes it on. */
export interface LinkListener {
    /**
     * A message came. Its acknowledgement, and everything the server sent after it, wait until `accepted` is called. After 30 s without that
     * call the connection is closed and opened again.
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
}

/** What has moved on a link so far, in bytes of MQTT. */
export interface LinkTraffic {
    /** Received from the server, stray pings included. */
    readonly receivedBytes: number;
    /** Taken by the operating system. */
    readonly sentBytes: number;
}
