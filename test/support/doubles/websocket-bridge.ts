import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect } from "node:net";
import type { TLSSocket } from "node:tls";
import { createWebSocketStream, WebSocketServer } from "ws";
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

    private constructor(brokerPort: number, credential: Credential | undefined) {
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
            stream.pipe(broker).pipe(stream);
            socket.on("close", (code) => {
                this.closeCodes.push(code);
                broker.destroy();
            });
        });
    }

    static async to(brokerPort: number, credential?: Credential): Promise<WebSocketBridge> {
        const bridge = new WebSocketBridge(brokerPort, credential);
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
