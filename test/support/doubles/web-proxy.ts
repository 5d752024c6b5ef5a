import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect, type Socket } from "node:net";
import { portOf } from "../ports";
import type { Credential } from "./certificates";

/** A web proxy on loopback that tunnels to whatever is asked for, and keeps a list. */
export class TestWebProxy {
    readonly #server: Server;
    readonly #sockets = new Set<Socket>();
    /** The destinations asked for, in order. */
    readonly tunnels: string[] = [];
    /** The credentials given with each. */
    readonly credentials: (string | undefined)[] = [];
    /** What it does with what is asked for: a tunnel, nothing at all, or a refusal with this status code. */
    answer: "tunnel" | "silence" | number = "tunnel";

    private constructor(credential: Credential | undefined) {
        this.#server = credential ? createSecureServer({ ...credential }) : createServer();
        this.#server.on("connect", (request, client, head) => {
            this.tunnels.push(request.url ?? "");
            const basic = request.headers["proxy-authorization"]?.replace("Basic ", "");
            this.credentials.push(basic && Buffer.from(basic, "base64").toString());
            client.on("error", () => {});
            if (this.answer === "silence") {
                client.resume().on("end", () => client.end());
                return;
            }
            if (this.answer !== "tunnel") {
                client.end(`HTTP/1.1 ${this.answer} Refused\r\nContent-Length: 4\r\n\r\nwhy?`);
                return;
            }
            const port = Number(request.url?.split(":").at(-1));
            const server = connect({ port, host: "127.0.0.1" }, () => {
                client.write("HTTP/1.1 200 Connection established\r\n\r\n");
                server.write(head);
                server.pipe(client);
                client.pipe(server);
            });
            server.on("error", () => {});
            client.on("close", () => server.destroy());
            server.on("close", () => client.destroy());
        });
        this.#server.on("connection", (socket: Socket) => {
            this.#sockets.add(socket);
            socket.on("close", () => this.#sockets.delete(socket));
        });
    }

    /** Speaks TLS when it gets a certificate. */
    static async start(credential?: Credential): Promise<TestWebProxy> {
        const proxy = new TestWebProxy(credential);
        proxy.#server.listen(0, "127.0.0.1");
        await once(proxy.#server, "listening");
        return proxy;
    }

    get port(): number {
        return portOf(this.#server);
    }

    /** Connections that are open at the moment. */
    get open(): number {
        return this.#sockets.size;
    }

    close(): void {
        this.#server.close();
        for (const socket of this.#sockets) socket.destroy();
    }
}
