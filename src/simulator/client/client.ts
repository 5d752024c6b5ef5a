import type { IConnectPacket, IPublishPacket, ISubscribePacket, IUnsubscribePacket, Packet } from "mqtt-packet";
import type { Platform } from "../platform";
import type { Message } from "../sessions/message";
import { type PacketSink, Session } from "../sessions/session";
import type { OnlineClient, TopicSpace } from "../sessions/topic-space";
import { type CloseCode, closeReasons } from "./close-codes";
import type { PacketStream } from "./packet-stream";
import { ReadThrottle } from "./read-throttle";

const strayPing = Buffer.from([0xde, 0x00]);
const topicAllowanceBytes = 200;

/**
 * A client from its CONNACK to the end of its connection: what all kinds of clients have in common. It is connected, then leaving (it
 * sent DISCONNECT, but answers are due), then closed.
 */
export abstract class Client implements PacketSink, OnlineClient {
    readonly platform: Platform;
    readonly clientId: string;
    readonly session: Session;
    readonly #space: TopicSpace;
    readonly #stream: PacketStream;
    readonly #keepAliveMs: number;
    readonly #throttle: ReadThrottle;
    readonly #sessionPresent: boolean;
    #state: "connected" | "leaving" | "closed" = "connected";
    #will: Message | undefined;
    /** Stray pings that are held back. */
    #heldStrayPings = 0;

    constructor({ platform, stream, space, clientId, will }: ClientOptions, packet: IConnectPacket) {
        const { settings, timers } = platform;
        this.platform = platform;
        this.clientId = clientId;
        this.#space = space;
        this.#stream = stream;
        this.#keepAliveMs = (packet.keepalive ?? 0) * 1000;
        this.#throttle = new ReadThrottle(stream, settings.maxUnacknowledged, settings.quota, timers);
        this.#will = will;
        const kept = packet.clean === false ? space.sessions.get(clientId) : undefined;
        this.#sessionPresent = kept?.durable === true;
        this.session = kept?.durable ? kept : new Session(clientId, packet.clean === false, settings, timers);
    }

    get writable(): boolean {
        return this.#stream.writable;
    }

    /** The address of the other side. */
    protected get remoteAddress(): string {
        return this.#stream.remoteAddress;
    }

    /** Takes over from an older connection with the same id, answers CONNECT and delivers what was queued. */
    begin(): void {
        const older = this.#space.clients.get(this.clientId);
        const previous = this.#space.sessions.get(this.clientId);
        if (previous && previous !== this.session) this.#space.removeSession(previous);
        this.#space.addSession(this.session);
        this.#space.clients.set(this.clientId, this);
        this.send({ cmd: "connack", returnCode: 0, sessionPresent: this.#sessionPresent });
        // Closing the older connection detaches the session from it, so this must precede attaching it here.
        older?.close(288);
        this.report("connected");
        this.connected();
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
                else this.receiveSubscribe(packet);
                break;
            case "unsubscribe":
                if (packet.unsubscriptions.some((topic) => topic === "")) this.close(271);
                else this.receiveUnsubscribe(packet);
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

    /** Counts a message whose answer is due. A client with too many of them is not read for a while. */
    expectAnswer(payloadBytes: number): void {
        this.#throttle.expect(payloadBytes);
    }

    /** Counts an answer. */
    answered(): void {
        this.#throttle.answered();
        if (this.#state === "leaving" && this.#throttle.allAnswered) this.close(0);
    }

    /** Acknowledges a PUBLISH, unless a fault withholds or delays that. */
    acknowledge(packet: IPublishPacket): void {
        const { faults, timers } = this.platform;
        if (!faults.isEmpty) {
            if (faults.take("strayPing", this.clientId, packet.topic)) this.sendStrayPing();
            if (faults.take("withholdPuback", this.clientId, packet.topic)) return;
            const fault = faults.take("delayPuback", this.clientId, packet.topic);
            if (fault) {
                timers.after(fault.delayMs, () => this.#acknowledge(packet));
                return;
            }
        }
        this.#acknowledge(packet);
    }

    send(packet: Packet): void {
        this.#stream.send(packet);
    }

    sendPublish({ topic, payload, qos, retain = false }: Message, messageId: number, dup: boolean): void {
        this.send({ cmd: "publish", topic: this.wireTopic(topic), payload, qos, messageId, dup, retain });
    }

    sendPubrel(messageId: number): void {
        this.send({ cmd: "pubrel", messageId });
    }

    /** Sends the malformed PINGRESP of the real front end, or holds it back for a run of them. */
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

    /** Ends the connection. The code goes to the log and the monitoring message, not to the client. */
    close(code: CloseCode): void {
        if (this.#state === "closed") return;
        this.#state = "closed";
        if (code === 0 || code === 288) this.#stream.end();
        else this.#stream.destroy();
        this.#throttle.dispose();
        if (this.#space.clients.get(this.clientId) === this) this.#space.clients.delete(this.clientId);
        this.session.detach();
        if (!this.session.durable) this.#space.removeSession(this.session);
        this.report("disconnected", { code, message: closeReasons[code] });
        if (this.#will) this.#space.publish(this.#will);
        this.disconnected(code);
    }

    /** Handles a PUBLISH of legal size. */
    protected abstract receivePublish(packet: IPublishPacket): void;
    protected abstract receiveSubscribe(packet: ISubscribePacket): void;
    protected abstract receiveUnsubscribe(packet: IUnsubscribePacket): void;
    /** The topic of a message as the client knows it. */
    protected abstract wireTopic(topic: string): string;
    /** CONNACK was sent, and nothing was delivered yet. */
    protected abstract connected(): void;
    /** The connection has ended, and the will was published. */
    protected abstract disconnected(code: CloseCode): void;

    /** Logs an event of this client. */
    protected report(event: string, details: { topic?: string; code?: number; message?: string } = {}): void {
        this.platform.settings.onEvent({ event, clientId: this.clientId, ...details });
    }

    #receivePublish(packet: IPublishPacket): void {
        const topicBytes = Buffer.byteLength(packet.topic);
        const countedBytes = packet.payload.length + Math.max(0, topicBytes - topicAllowanceBytes);
        if (topicBytes === 0) this.close(271);
        else if (countedBytes > this.platform.settings.maxPayloadBytes) this.close(287);
        else this.receivePublish(packet);
    }

    /** Handles DISCONNECT: the will is void, and the connection stays until the registry has answered for its messages. */
    #leave(): void {
        this.#will = undefined;
        if (this.#throttle.allAnswered) this.close(0);
        else this.#state = "leaving";
    }

    #acknowledge(packet: IPublishPacket): void {
        if (packet.qos > 0) this.send({ cmd: packet.qos === 1 ? "puback" : "pubrec", messageId: packet.messageId ?? 0 });
        this.answered();
    }

    #sendHeldStrayPings(): void {
        this.#stream.sendRaw(Buffer.concat(Array.from({ length: this.#heldStrayPings }, () => strayPing)));
        this.#heldStrayPings = 0;
    }
}

/** What a client begins with. */
export interface ClientOptions {
    platform: Platform;
    stream: PacketStream;
    space: TopicSpace;
    clientId: string;
    will: Message | undefined;
}
