import type { IConnectPacket, IPublishPacket, Packet } from "mqtt-packet";
import type { OnlineClient, Organisation } from "../organisation";
import type { Platform } from "../platform";
import type { DeviceChecks } from "../registration/front-end";
import { notificationPayload, type Refusal } from "../registration/notification";
import type { GatewayRights } from "../registration/registry";
import type { Message } from "../sessions/message";
import { type PacketSink, Session } from "../sessions/session";
import { toClient } from "../topic-form";
import type { Admission } from "./admission";
import type { ClientIdentity } from "./client-identity";
import { type CloseCode, closeReasons } from "./close-codes";
import { publishMonitoring } from "./monitoring";
import type { PacketStream } from "./packet-stream";
import { receivePublish } from "./publish-handler";
import { ReadThrottle } from "./read-throttle";
import { receiveSubscribe, receiveUnsubscribe } from "./subscribe-handler";
import type { ConnectedClient } from "./types";

const strayPing = Buffer.from([0xde, 0x00]);
const topicAllowanceBytes = 200;

/** A client from its CONNACK to the end of its connection: connected, then leaving (DISCONNECT came, answers are due), then closed. */
export class Client implements ConnectedClient, PacketSink, OnlineClient {
    readonly platform: Platform;
    readonly identity: ClientIdentity;
    readonly organisation: Organisation;
    readonly rights: GatewayRights;
    readonly session: Session;
    readonly checks: DeviceChecks;
    readonly speaksOldMqtt: boolean;
    readonly #stream: PacketStream;
    readonly #openedAt: Date;
    readonly #keepAliveMs: number;
    readonly #throttle: ReadThrottle;
    readonly #sessionPresent: boolean;
    #state: "connected" | "leaving" | "closed" = "connected";
    #will: Message | undefined;
    /** Stray pings that are held back. */
    #heldStrayPings = 0;

    constructor(
        platform: Platform,
        stream: PacketStream,
        openedAt: Date,
        { identity, organisation, will }: Admission,
        packet: IConnectPacket,
    ) {
        const { settings, timers } = platform;
        this.platform = platform;
        this.identity = identity;
        this.organisation = organisation;
        this.rights = organisation.registry.rights(identity.typeId, identity.id);
        this.checks = organisation.frontEndOf(identity.clientId).connect({ clientId: identity.clientId, rights: this.rights });
        this.speaksOldMqtt = packet.protocolVersion === 3;
        this.#stream = stream;
        this.#openedAt = openedAt;
        this.#keepAliveMs = (packet.keepalive ?? 0) * 1000;
        this.#throttle = new ReadThrottle(stream, settings.maxUnacknowledged, settings.quota, timers);
        this.#will = will;
        const kept = packet.clean === false ? organisation.sessions.get(identity.clientId) : undefined;
        this.#sessionPresent = kept?.durable === true;
        this.session = kept?.durable ? kept : new Session(identity.clientId, packet.clean === false, settings, timers);
    }

    get clientId(): string {
        return this.identity.clientId;
    }

    get writable(): boolean {
        return this.#stream.writable;
    }

    /** Takes over from an older connection with the same id, answers CONNECT and delivers what was queued. */
    begin(): void {
        const { organisation, identity, clientId } = this;
        const older = organisation.clients.get(clientId);
        const previous = organisation.sessions.get(clientId);
        if (previous && previous !== this.session) organisation.removeSession(previous);
        organisation.addSession(this.session);
        organisation.clients.set(clientId, this);
        if (identity.typeId !== "" && !organisation.registry.isFull) organisation.registry.register(identity.typeId, identity.id);
        this.send({ cmd: "connack", returnCode: 0, sessionPresent: this.#sessionPresent });
        // Closing the older connection detaches the session from it, so this must precede attaching it here.
        older?.close(288);
        this.#report("connected");
        publishMonitoring(this, "Connect", this.#stream.remoteAddress, this.#openedAt);
        this.session.attach(this);
    }

    /** Handles a packet after CONNECT. */
    receive(packet: Packet): void {
        if (this.#state !== "connected") return;
        const messageId = packet.messageId ?? 0;
        switch (packet.cmd) {
            case "publish":
                this.#receivePublish(packet);
                break;
            case "puback":
            case "pubcomp":
                this.session.complete(messageId);
                break;
            case "pubrec":
                this.session.received(messageId);
                break;
            case "pubrel":
                this.session.release(messageId);
                this.send({ cmd: "pubcomp", messageId });
                break;
            case "subscribe":
                if (packet.subscriptions.some(({ topic }) => topic === "")) this.close(271);
                else receiveSubscribe(this, packet);
                break;
            case "unsubscribe":
                if (packet.unsubscriptions.some((topic) => topic === "")) this.close(271);
                else receiveUnsubscribe(this, packet);
                break;
            case "pingreq":
                this.send({ cmd: "pingresp" });
                break;
            case "disconnect":
                this.#leave();
                break;
            default:
                this.close(105);
        }
    }

    /** The socket has closed. After a DISCONNECT, messages that wait for the registry are still delivered. */
    streamClosed(): void {
        if (this.#state === "connected" || this.#throttle.allAnswered) this.close(this.#state === "leaving" ? 0 : 91);
    }

    /** The socket takes data again. */
    flush(): void {
        if (this.#state !== "closed") this.session.flush();
    }

    /** Closes when nothing came for one and a half times the keep-alive. A client that is not read cannot be silent. */
    checkSilence(silentMs: number): void {
        if (this.#keepAliveMs > 0 && silentMs > this.#keepAliveMs * 1.5 && !this.#throttle.isThrottled) this.close(160);
    }

    expectAnswer(payloadBytes: number): void {
        this.#throttle.expect(payloadBytes);
    }

    answered(): void {
        this.#throttle.answered();
        if (this.#state === "leaving" && this.#throttle.allAnswered) this.close(0);
    }

    send(packet: Packet): void {
        this.#stream.send(packet);
    }

    sendPublish({ topic, payload, qos }: Message, messageId: number, dup: boolean): void {
        this.send({ cmd: "publish", topic: toClient(this.identity, topic), payload, qos, messageId, dup, retain: false });
    }

    sendPubrel(messageId: number): void {
        this.send({ cmd: "pubrel", messageId });
    }

    sendStrayPing(): void {
        const { faults, settings, timers } = this.platform;
        const delayMs = faults.take("delayStrayPings", this.clientId)?.delayMs ?? settings.strayPingDelayMs;
        if (delayMs === 0) {
            this.#stream.sendRaw(strayPing);
            return;
        }
        this.#heldStrayPings++;
        if (this.#heldStrayPings === 1) timers.after(delayMs, () => this.#sendHeldStrayPings());
    }

    notify(refusal: Refusal): void {
        const { organisation, clientId } = this;
        const { typeId, id } = this.identity;
        const { faults, settings, timers } = this.platform;
        const { message = "", ...withoutMessage } = refusal;
        this.#report("notification", { topic: refusal.topic, code: refusal.rc, message });
        if (faults.take("loseNotification", clientId, refusal.topic)) return;
        const sent = faults.take("notificationWithoutMessage", clientId, refusal.topic) ? withoutMessage : refusal;
        timers.after(settings.notificationDelayMs, () => {
            const payload = notificationPayload(sent, clientId, new Date());
            organisation.publish({ topic: `iot-2/type/${typeId}/id/${id}/notify`, payload, qos: 0 });
        });
    }

    close(code: CloseCode): void {
        if (this.#state === "closed") return;
        this.#state = "closed";
        if (code === 0 || code === 288) this.#stream.end();
        else this.#stream.destroy();
        const { organisation, session } = this;
        this.#throttle.dispose();
        this.checks.end();
        if (organisation.clients.get(this.clientId) === this) organisation.clients.delete(this.clientId);
        session.detach();
        if (!session.durable) organisation.removeSession(session);
        this.#report("disconnected", { code, message: closeReasons[code] });
        if (this.#will) organisation.publish(this.#will);
        publishMonitoring(this, "Disconnect", this.#stream.remoteAddress, this.#openedAt, code);
    }

    #receivePublish(packet: IPublishPacket): void {
        const topicBytes = Buffer.byteLength(packet.topic);
        const countedBytes = packet.payload.length + Math.max(0, topicBytes - topicAllowanceBytes);
        if (topicBytes === 0) this.close(271);
        else if (countedBytes > this.platform.settings.maxPayloadBytes) this.close(287);
        else receivePublish(this, packet);
    }

    /** Handles DISCONNECT: the will is void, and the connection stays until the registry has answered for its messages. */
    #leave(): void {
        this.#will = undefined;
        if (this.#throttle.allAnswered) this.close(0);
        else this.#state = "leaving";
    }

    #sendHeldStrayPings(): void {
        this.#stream.sendRaw(Buffer.concat(Array.from({ length: this.#heldStrayPings }, () => strayPing)));
        this.#heldStrayPings = 0;
    }

    #report(event: string, details: { topic?: string; code?: number; message?: string } = {}): void {
        this.platform.settings.onEvent({ event, clientId: this.clientId, ...details });
    }
}
