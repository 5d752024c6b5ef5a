import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import { portOf } from "../ports";
import type { Credential } from "./certificates";

/** A websocket entrance to a broker on loopback, with TLS when it gets a certificate; takes the subprotocol `mqtt` only. */
export class WebSocketBridge {
    readonly #server: Server;
    readonly #sockets: WebSocketServer;
    /** The paths that were asked for, in order. */
    readonly paths: string[] = [];
    /** The subprotocols that were offered, in order. */
    readonly protocols: string[] = [];
    /** The server names that were asked for with TLS, in order. */
    readonly serverNames: unknown[] = [];
    /** The codes with which the other side closed; 1006 = without a word. */
    readonly closeCodes: number[] = [];

    readonly #sendsWholePackets: boolean;

    private constructor(brokerPort: number, { credential, wholePackets = false }: WebSocketBridgeOptions) {
        this.#sendsWholePackets = wholePackets;
        this.#server = credential ? createSecureServer({ ...credential }) : createServer();
        this.#server.on("secureConnection", ({ servername }: TLSSocket) => this.serverNames.push(servername));
        this.#sockets = new WebSocketServer({
            server: this.#server,
            handleProtocols: (offered) => {
                this.protocols.push([...offered].join(","));
                return offered.has("mqtt") ? "mqtt" : false;
            },
        });
        this.#sockets.on("connection", (socket, request) => {
            this.paths.push(request.url ?? "");
            const broker = connect({ port: brokerPort, host: "127.0.0.1", noDelay: true });
            const stream = createWebSocketStream(socket);
            for (const end of [broker, stream]) end.on("error", () => {});
            stream.pipe(broker);
            if (this.#sendsWholePackets) sendPackets(broker, socket);
            else broker.pipe(stream);
            socket.on("close", (code) => {
                this.closeCodes.push(code);
                broker.destroy();
            });
        });
    }

    static async to(brokerPort: number, options: WebSocketBridgeOptions = {}): Promise<WebSocketBridge> {
        const bridge = new WebSocketBridge(brokerPort, options);
        bridge.#server.listen(0, "127.0.0.1");
        await once(bridge.#server, "listening");
        return bridge;
    }

    get port(): number {
        return portOf(this.#server);
    }

    close(): void {
        for (const socket of this.#sockets.clients) socket.terminate();
        this.#sockets.close();
        this.#server.close();
    }
}

/** How a bridge is set up. */
export interface WebSocketBridgeOptions {
    /** What it shows to clients of TLS; without it, there is no TLS. */
    readonly credential?: Credential;
    /** Sends each MQTT packet as one message in one frame, as brokers do. */
    readonly wholePackets?: boolean;
}

function sendPackets(broker: Socket, socket: WebSocket): void {
    let parts: Buffer[] = [];
    let bytes = 0;
    broker.on("data", (chunk: Buffer) => {
        parts.push(chunk);
        bytes += chunk.length;
        for (;;) {
            const head = Buffer.concat(parts.slice(0, 2)).subarray(0, 5);
            const size = packetBytes(head);
            if (size === undefined || bytes < size) return;
            const all = Buffer.concat(parts);
            socket.send(all.subarray(0, size));
            parts = [all.subarray(size)];
            bytes -= size;
        }
    });
    broker.on("close", () => socket.close());
}

/** The size of the packet that begins so; undefined while its header is not complete. */
function packetBytes(head: Buffer): number | undefined {
    let length = 0;
    for (let index = 1; index < head.length; index++) {
        const byte = head[index] ?? 0;
        length += (byte & 0x7f) * 128 ** (index - 1);
        if ((byte & 0x80) === 0) return index + 1 + length;
    }
    return undefined;
}
