import type { Socket } from "node:net";
import type { IConnectPacket, Packet } from "mqtt-packet";
import type { Platform } from "../platform";
import { type ConnectRefusal, judgeConnect } from "./admission";
import { Client } from "./client";
import type { CloseCode } from "./close-codes";
import { publishMonitoring } from "./monitoring";
import { Line, type LineListener } from "./packet-stream";

/** One socket, from its first byte to its end; it becomes a client when its CONNECT is accepted. */
export class Connection implements LineListener {
    readonly #platform: Platform;
    readonly #line: Line;
    readonly #openedAt = new Date();
    #client: Client | undefined;
    #clientId = "";
    #packets = 0;

    constructor(platform: Platform, socket: Socket) {
        this.#platform = platform;
        // The largest legal packet: payload, topic of any length, both length fields and the packet id.
        this.#line = new Line(socket, platform.settings.maxPayloadBytes + 65535 + 4, this);
    }

    /** Empty until there was a CONNECT. */
    get clientId(): string {
        return this.#clientId;
    }

    onPacket(packet: Packet): void {
        if (!this.#client && packet.cmd === "connect") this.#clientId = packet.clientId;
        if (!this.#isToBeAnswered(packet)) return;
        if (this.#client) this.#client.receive(packet);
        else if (packet.cmd === "connect") this.#connect(packet);
        else this.#line.destroy();
    }

    onMalformed(): void {
        this.#client?.close(105);
    }

    onDrain(): void {
        this.#client?.flush();
    }

    onClose(): void {
        this.#platform.connections.delete(this);
        this.#client?.lineClosed();
    }

    /** Closes the connection; the code is for the log. */
    close(code: CloseCode): void {
        if (this.#client) this.#client.close(code);
        this.#line.destroy();
    }

    /** Closes what has been silent for too long. */
    checkSilence(nowMs: number): void {
        const silentMs = nowMs - this.#line.lastReceivedMs;
        if (this.#client) this.#client.checkSilence(silentMs);
        else if (silentMs > this.#platform.settings.connectTimeoutMs) this.close(164);
    }

    #isToBeAnswered(packet: Packet): boolean {
        const { faults, observed } = this.#platform;
        observed.record(this.#clientId, packet);
        this.#packets++;
        if (faults.isEmpty) return true;
        if (faults.take("blackHole", this.#clientId)) {
            this.#line.mute();
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
        const verdict = fault ? { returnCode: fault.returnCode, closeCode: 180 as const } : judgeConnect(this.#platform, packet);
        if ("closeCode" in verdict) {
            this.#refuse(verdict);
        } else {
            this.#client = new Client(this.#platform, this.#line, this.#openedAt, verdict, packet);
            this.#client.begin();
        }
    }

    #refuse({ returnCode, closeCode, known }: ConnectRefusal): void {
        this.#platform.settings.onEvent({ event: "refused", clientId: this.#clientId, code: closeCode });
        if (known) publishMonitoring(known, "FailedConnect", this.#line.remoteAddress, this.#openedAt, closeCode);
        if (returnCode === undefined) {
            this.#line.destroy();
        } else {
            this.#line.send({ cmd: "connack", returnCode, sessionPresent: false });
            this.#line.end();
        }
    }
}
