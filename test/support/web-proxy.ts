import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";

/** A web proxy on loopback that tunnels to whatever is asked for, and keeps a list. */
export class TestWebProxy {
    readonly #server: Server;
    readonly #sockets = new Set<Socket>();
    /** The destinations asked for, in order. */
    readonly tunnels: string[] = [];
    /** The credentials given with each. */
    readonly credentials: (string | undefined)[] = [];

    private constructor() {
        this.#server = createServer();
        this.#server.on("connect", (request, client, head) => {
            this.tunnels.push(request.url ?? "");
            const basic = request.headers["proxy-authorization"]?.replace("Basic ", "");
            this.credentials.push(basic && Buffer.from(basic, "base64").toString());
            const port = Number(request.url?.split(":")[1]);
            const server = connect({ port, host: "127.0.0.1" }, () => {
                client.write("HTTP/1.1 200 Connection established\r\n\r\n");
                server.write(head);
                server.pipe(client);
                client.pipe(server);
            });
            for (const socket of [client, server]) socket.on("error", () => {});
            client.on("close", () => server.destroy());
            server.on("close", () => client.destroy());
        });
        this.#server.on("connection", (socket: Socket) => {
            this.#sockets.add(socket);
            socket.on("close", () => this.#sockets.delete(socket));
        });
    }

    static async start(): Promise<TestWebProxy> {
        const proxy = new TestWebProxy();
        proxy.#server.listen(0, "127.0.0.1");
        await once(proxy.#server, "listening");
        return proxy;
    }

    get port(): number {
        const address = this.#server.address();
        return typeof address === "object" && address !== null ? address.port : 0;
    }

    close(): void {
        this.#server.close();
        for (const socket of this.#sockets) socket.destroy();
    }
}
