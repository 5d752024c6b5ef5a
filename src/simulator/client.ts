import type { Socket } from "node:net";
import type { IConnectPacket, IPublishPacket, ISubscribePacket, IUnsubscribePacket, Packet } from "mqtt-packet";
import type { ClientIdentity } from "./client-identity";
import { type CloseCode, closeReasons } from "./close-codes";
import { type Admission, judgeConnect } from "./connect";
import { receivePublish } from "./inbound-publish";
import { receiveSubscribe, receiveUnsubscribe } from "./inbound-subscribe";
import { Line, type LineListener } from "./line";
import type { Message } from "./message";
import { publishMonitoring } from "./monitoring";
import { notificationPayload, type Refusal } from "./notification";
import type { Organisation } from "./organisation";
import type { Platform } from "./platform";
import { Quota } from "./quota";
import type { GatewayRights } from "./registry";
import { type Outlet, Session } from "./session";
import { toClient } from "./topic-form";

const strayBytes = Buffer.from([0xde, 0x00]);
const topicAllowanceBytes = 200;
const nobody: ClientIdentity = { clientClass: "g", clientId: "", organisation: "", typeId: "", id: "" };

/** One connection, from its first byte to its end. */
export class Client implements LineListener, Outlet {
    readonly platform: Platform;
    readonly connectedAt = new Date();
    identity: ClientIdentity = nobody;
    rights: GatewayRights = { role: "privileged" };
    /** MQTT 3.1, whose SUBACK cannot say that a filter was refused. */
    speaksOldMqtt = false;
    pendingRegistrations = 0;
    /** Starts at one: the gateway itself is a device that is checked. */
    checkedDevices = 1;
    readonly #line: Line;
    readonly #pauses = new Set<string>();
    readonly #quota: Quota;
    #state: "new" | "connected" | "leaving" | "closed" = "new";
    #organisation: Organisation | undefined;
    #session: Session | undefined;
    #will: Message | undefined;
    #keepAliveMs = 0;
    #unanswered = 0;
    #packets = 0;
    #swallowing = false;
    #closeCode: CloseCode = 91;

    constructor(platform: Platform, socket: Socket) {
        this.platform = platform;
        const { maxPayloadBytes, quota } = platform.settings;
        this.#quota = new Quota(quota, platform.timers, (held) => this.pause("quota", held));
        // The largest legal packet: payload, topic of any length, both length fields and the packet id.
        this.#line = new Line(socket, maxPayloadBytes + 65535 + 4, this);
    }

    get clientId(): string {
        return this.identity.clientId;
    }

    /** The connection has ended or is about to. */
    get gone(): boolean {
        return this.#state === "closed";
    }

    get writable(): boolean {
        return this.#line.writable && !this.#swallowing;
    }

    get remoteAddress(): string {
        return this.#line.remoteAddress;
    }

    /** Only for a client that was admitted. */
    get organisation(): Organisation {
        if (!this.#organisation) throw new Error("The client has not connected.");
        return this.#organisation;
    }

    /** Only for a client that was admitted. */
    get session(): Session {
        if (!this.#session) throw new Error("The client has not connected.");
        return this.#session;
    }

    onPacket(packet: Packet): void {
        if (this.#swallowing) return;
        if (this.#state === "new") {
            this.#connect(packet);
            return;
        }
        if (this.#state !== "connected" || !this.#isToBeAnswered(packet)) return;
        switch (packet.cmd) {
            case "publish":
                this.#receivePublish(packet);
                break;
            case "puback":
            case "pubcomp":
                this.session.complete(packet.messageId ?? 0);
                break;
            case "pubrec":
                this.session.received(packet.messageId ?? 0);
                break;
            case "pubrel":
                this.session.receivedIds.delete(packet.messageId ?? 0);
                this.send({ cmd: "pubcomp", messageId: packet.messageId ?? 0 });
                break;
            case "subscribe":
                this.#receiveSubscribe(packet);
                break;
            case "unsubscribe":
                this.#receiveUnsubscribe(packet);
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

    onMalformed(): void {
        this.#closeCode = 105;
    }

    onDrain(): void {
        this.#session?.flush();
    }

    onClose(): void {
        // After a DISCONNECT, what waits for the registry is still delivered.
        if (this.#state === "closed" || (this.#state === "leaving" && this.#unanswered > 0)) return;
        this.#end();
    }

    #end(): void {
        const wasConnected = this.#state !== "new";
        this.#state = "closed";
        this.#quota.dispose();
        this.platform.clients.delete(this);
        if (wasConnected) this.#disconnected();
    }

    /** Takes note of a message whose answer is due, so that a client that sends too far ahead is not read for a while. */
    expectAnswer(): void {
        this.#unanswered++;
        if (this.#unanswered >= this.platform.settings.maxUnacknowledged) this.pause("unacknowledged", true);
    }

    /** The answer was given. */
    answered(): void {
        this.#unanswered--;
        if (this.#unanswered < this.platform.settings.maxUnacknowledged) this.pause("unacknowledged", false);
        if (this.#state === "leaving" && this.#unanswered === 0) this.close(0);
    }

    /** Stops or resumes reading the client, for one of several reasons. */
    pause(reason: string, held: boolean): void {
        if (held) this.#pauses.add(reason);
        else if (!this.#pauses.delete(reason)) return;
        if (this.#pauses.size > 0) this.#line.pause();
        else this.#line.resume();
    }

    send(packet: Packet): void {
        if (!this.#swallowing) this.#line.send(packet);
    }

    sendPublish({ topic, payload, qos }: Message, messageId: number, dup: boolean): void {
        this.send({ cmd: "publish", topic: toClient(this.identity, topic), payload, qos, messageId, dup, retain: false });
    }

    sendPubrel(messageId: number): void {
        this.send({ cmd: "pubrel", messageId });
    }

    /** The malformed PINGRESP of the real front end. */
    sendStrayPing(): void {
        if (!this.#swallowing) this.#line.sendRaw(strayBytes);
    }

    /** Publishes a refusal on the gateway's notify topic, a moment after the acknowledgement. */
    notify(refusal: Refusal): void {
        const { typeId, id } = this.identity;
        const { organisation, clientId } = this;
        this.#report("notification", { topic: refusal.topic, code: refusal.rc, message: refusal.message });
        this.platform.timers.after(this.platform.settings.notificationDelayMs, () => {
            const payload = notificationPayload(refusal, clientId, new Date());
            organisation.publish({ topic: `iot-2/type/${typeId}/id/${id}/notify`, payload, qos: 0 });
        });
    }

    /** Closes the connection; the code goes to the log and the monitoring message, not to the client. */
    close(code: CloseCode): void {
        if (this.#state === "closed") return;
        this.#closeCode = code;
        if (code === 0 || code === 288) this.#line.end();
        else this.#line.destroy();
        this.#end();
    }

    /** Closes what has been silent for too long. A client that is not being read cannot be silent. */
    checkSilence(nowMs: number): void {
        if (this.#pauses.size > 0) return;
        const silentMs = nowMs - this.#line.lastReceivedMs;
        if (this.#state === "new" && silentMs > this.platform.settings.connectTimeoutMs) this.close(164);
        else if (this.#keepAliveMs > 0 && silentMs > this.#keepAliveMs * 1.5) this.close(160);
    }

    #isToBeAnswered(packet: Packet): boolean {
        this.platform.observed.record(this.clientId, packet);
        this.#packets++;
        if (this.platform.faults.isEmpty) return true;
        if (this.platform.faults.take("blackHole", this.clientId)) {
            this.#swallowing = true;
            return false;
        }
        const fault = this.platform.faults.peek("closeAfter", this.clientId);
        if (!fault || this.#packets < fault.packets) return true;
        this.platform.faults.take("closeAfter", this.clientId);
        this.close(92);
        return false;
    }

    #connect(packet: Packet): void {
        if (packet.cmd !== "connect") {
            this.close(105);
            return;
        }
        this.identity = { ...nobody, clientId: packet.clientId };
        if (!this.#isToBeAnswered(packet)) return;
        const fault = this.platform.faults.take("refuseConnect", packet.clientId);
        const verdict = fault ? { returnCode: fault.returnCode, closeCode: 180 as const } : judgeConnect(this.platform, packet);
        if ("identity" in verdict) {
            this.#admit(verdict, packet);
            return;
        }
        this.#report("refused", { code: verdict.closeCode });
        this.#closeCode = verdict.closeCode;
        if ("returnCode" in verdict) {
            this.send({ cmd: "connack", returnCode: verdict.returnCode, sessionPresent: false });
            this.#line.end();
        } else {
            this.#line.destroy();
        }
    }

    #admit({ identity, organisation, will }: Admission, packet: IConnectPacket): void {
        const clean = packet.clean ?? true;
        const older = organisation.clients.get(identity.clientId);
        const previous = organisation.sessions.get(identity.clientId);
        this.identity = identity;
        this.#organisation = organisation;
        this.#will = will;
        this.speaksOldMqtt = packet.protocolVersion === 3;
        this.#keepAliveMs = (packet.keepalive ?? 0) * 1000;
        this.#state = "connected";
        older?.giveUpSession();
        if (previous && (clean || !previous.durable)) organisation.removeSession(previous);
        const kept = clean ? undefined : organisation.sessions.get(identity.clientId);
        this.#session = kept ?? new Session(identity.clientId, !clean, this.platform.settings);
        organisation.sessions.set(identity.clientId, this.#session);
        organisation.clients.set(identity.clientId, this);
        if (identity.clientClass === "g" || identity.clientClass === "d") {
            organisation.registry.register(identity.typeId, identity.id);
            this.rights = organisation.registry.rights(identity.typeId, identity.id);
        }
        this.send({ cmd: "connack", returnCode: 0, sessionPresent: kept !== undefined });
        older?.close(288);
        this.#report("connected");
        publishMonitoring(this, "Connect");
        this.#session.attach(this);
    }

    /** Another connection with this client id has come: it takes the session over before this one ends. */
    giveUpSession(): void {
        this.#session?.detach();
        this.#session = undefined;
    }

    #receivePublish(packet: IPublishPacket): void {
        const topicBytes = Buffer.byteLength(packet.topic);
        if (topicBytes === 0) {
            this.close(271);
        } else if (packet.payload.length + Math.max(0, topicBytes - topicAllowanceBytes) > this.platform.settings.maxPayloadBytes) {
            this.close(287);
        } else {
            this.#quota.spend(packet.payload.length);
            receivePublish(this, packet);
        }
    }

    #receiveSubscribe(packet: ISubscribePacket): void {
        if (packet.subscriptions.some(({ topic }) => topic === "")) this.close(271);
        else receiveSubscribe(this, packet);
    }

    #receiveUnsubscribe(packet: IUnsubscribePacket): void {
        if (packet.unsubscriptions.some((topic) => topic === "")) this.close(271);
        else receiveUnsubscribe(this, packet);
    }

    /** DISCONNECT: the will is void. The socket stays until what waits for the registry is answered. */
    #leave(): void {
        this.#will = undefined;
        if (this.#unanswered === 0) this.close(0);
        else this.#state = "leaving";
        this.#closeCode = 0;
    }

    #disconnected(): void {
        const organisation = this.organisation;
        organisation.firstContacts.abandon(this);
        if (organisation.clients.get(this.clientId) === this) organisation.clients.delete(this.clientId);
        this.#session?.detach();
        if (this.#session && !this.#session.durable) organisation.removeSession(this.#session);
        this.#report("disconnected", { code: this.#closeCode, message: closeReasons[this.#closeCode] });
        if (this.#will && this.#closeCode !== 0) organisation.publish(this.#will);
        publishMonitoring(this, "Disconnect", this.#closeCode);
    }

    #report(event: string, details: { topic?: string; code?: number; message?: string } = {}): void {
        this.platform.settings.onEvent({ event, clientId: this.clientId, ...details });
    }
}
