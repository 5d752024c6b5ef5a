import type { IConnectPacket, Packet } from "mqtt-packet";
import type { Platform } from "../platform";
import { type ConnectRefusal, decideConnect } from "./admission";
import type { Client } from "./client";
import type { CloseCode } from "./close-codes";
import { publishMonitoring } from "./monitoring";
import { type ClientStream, PacketStream, type PacketStreamListener } from "./packet-stream";
import { PlainClient } from "./plain-client";
import { PlatformClient } from "./platform-client";

/** One socket, from its first byte to its end. It becomes a client when its CONNECT is accepted. */
export class Connection implements PacketStreamListener {
    readonly #platform: Platform;
    readonly #stream: PacketStream;
    readonly #closed: () => void;
    readonly #openedAt: Date;
    #client: Client | undefined;
    #clientId = "";
    #packets = 0;

    /** `closed` is called once, when the socket has closed. */
    constructor(platform: Platform, socket: ClientStream, closed: () => void) {
        this.#platform = platform;
        this.#closed = closed;
        this.#openedAt = new Date(platform.timers.now());
        // The largest legal packet: payload, topic of any length, both length fields and the packet id.
        this.#stream = new PacketStream(socket, platform.settings.maxPayloadBytes + 65535 + 4, this, platform.timers);
    }

    get #times(): { at: Date; connectedAt: Date } {
        return { at: new Date(this.#platform.timers.now()), connectedAt: this.#openedAt };
    }

    /** Empty before the CONNECT. */
    get clientId(): string {
        return this.#clientId;
    }

    onPacket(packet: Packet): void {
        if (!this.#client && packet.cmd === "connect") this.#clientId = packet.clientId;
        if (!this.#isToBeAnswered(packet)) return;
        if (this.#client) this.#client.receive(packet);
        else if (packet.cmd === "connect") this.#connect(packet);
        else this.#stream.destroy();
    }

    onMalformed(): void {
        this.#client?.close(105);
    }

    onDrain(): void {
        this.#client?.flush();
    }

    onClose(): void {
        this.#closed();
        this.#client?.streamClosed();
    }

    /** Closes the connection; the code is for the log. */
    close(code: CloseCode): void {
        if (this.#client) this.#client.close(code);
        this.#stream.destroy();
    }

    /** Closes a connection that has been silent for too long. */
    checkSilence(): void {
        const { silentMs } = this.#stream;
        if (this.#client) this.#client.checkSilence(silentMs);
        else if (silentMs > this.#platform.settings.connectTimeoutMs) this.close(164);
    }

    #isToBeAnswered(packet: Packet): boolean {
        const { faults, observed } = this.#platform;
        observed.record(this.#clientId, packet);
        this.#packets++;
        if (faults.isEmpty) return true;
        if (faults.take("blackHole", this.#clientId)) {
            this.#stream.mute();
            return false;
        }
        const fault = faults.peek("closeAfter", this.#clientId);
        if (!fault || this.#packets < fault.packets) return true;
        faults.take("closeAfter", this.#clientId);
        this.close(92);
        return false;
    }

    #connect(packet: IConnectPacket): void {
        const fault = this.#platform.faults.take("refuseConnect", this.#clientId);
        const decision = fault ? { returnCode: fault.returnCode, closeCode: 180 as const } : decideConnect(this.#platform, packet);
        if ("closeCode" in decision) {
            this.#refuse(decision);
        } else {
            this.#client =
                "topics" in decision
                    ? new PlainClient(this.#platform, this.#stream, decision, packet)
                    : new PlatformClient(this.#platform, this.#stream, this.#openedAt, decision, packet);
            this.#client.begin();
        }
    }

    #refuse({ returnCode, closeCode, client }: ConnectRefusal): void {
        this.#platform.settings.onEvent({ event: "refused", clientId: this.#clientId, code: closeCode });
        if (client) publishMonitoring(client, "FailedConnect", this.#stream.remoteAddress, this.#times, closeCode);
        if (returnCode === undefined) {
            this.#stream.destroy();
        } else {
            this.#stream.send({ cmd: "connack", returnCode, sessionPresent: false });
            this.#stream.end();
        }
    }
}
