import type { IPublishPacket, Packet } from "mqtt-packet";
import type { Organisation } from "../organisation";
import type { Platform } from "../platform";
import type { DeviceChecks } from "../registration/front-end";
import type { Refusal } from "../registration/notification";
import type { GatewayRights } from "../registration/registry";
import type { Session } from "../sessions/session";
import type { ClientIdentity } from "./client-identity";
import type { CloseCode } from "./close-codes";

/** The client that sent a packet, as the handlers of PUBLISH, SUBSCRIBE and UNSUBSCRIBE see it. */
export interface ConnectedClient {
    readonly clientId: string;
    readonly identity: ClientIdentity;
    readonly rights: GatewayRights;
    readonly platform: Platform;
    readonly organisation: Organisation;
    readonly session: Session;
    readonly checks: DeviceChecks;
    /** MQTT 3.1, whose SUBACK has no code for a refused filter. */
    readonly speaksOldMqtt: boolean;
    /** Counts a message whose answer is due. A client with too many of them is not read for a while. */
    expectAnswer(payloadBytes: number): void;
    /** Counts an answer. */
    answered(): void;
    /** Acknowledges a PUBLISH, unless a fault withholds or delays that. */
    acknowledge(packet: IPublishPacket): void;
    send(packet: Packet): void;
    /** Sends the malformed PINGRESP of the real front end, or holds it back for a run of them. */
    sendStrayPing(): void;
    /** Publishes a refusal on the gateway's notify topic, a moment after the acknowledgement. */
    notify(refusal: Refusal): void;
    /** Ends the connection. The code goes to the log and the monitoring message, not to the client. */
    close(code: CloseCode): void;
}
