import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import dns from "node:dns";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { testEndpoint } from "../../src/connection/connection-test";
import { dial, type RawStream } from "../../src/connection/dial";

/**
 * A server on 127.0.0.1 that takes no connection until `resume`: its process is stopped and the queue of its port is full, so that the
 * kernel drops each SYN, and the client repeats it after a second.
 */
class SlowServer {
    readonly port: number;
    readonly #child: ChildProcess;
    readonly #fillers: Socket[] = [];

    private constructor(child: ChildProcess, port: number) {
        this.#child = child;
        this.port = port;
    }

    static async start(): Promise<SlowServer> {
        const script = `
            const server = require("node:net").createServer((socket) => socket.on("error", () => {}));
            server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(server.address().port));
        `;
        const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
        const [line] = await once(child.stdout, "data");
        const server = new SlowServer(child, Number(String(line)));
        child.kill("SIGSTOP");
        await server.#fill();
        return server;
    }

    resume(): void {
        this.#child.kill("SIGCONT");
    }

    async stop(): Promise<void> {
        for (const filler of this.#fillers) filler.destroy();
        const exit = once(this.#child, "exit");
        this.#child.kill("SIGKILL");
        await exit;
    }

    /** Connects until a connection is not established any more. */
    async #fill(): Promise<void> {
        for (let isConnected = true; isConnected; ) {
            const filler = connect(this.port, "127.0.0.1").on("error", () => undefined);
            this.#fillers.push(filler);
            isConnected = await new Promise((resolve) => {
                filler.once("connect", () => resolve(true));
                setTimeout(() => resolve(false), 100);
            });
        }
    }
}

describe("a host with two addresses on a slow line", () => {
    const { lookup } = dns;
    let server: SlowServer;

    /** The second address is one that this machine cannot reach. */
    const lookUpBoth = (_host: string, _options: unknown, found: (error: null, addresses: dns.LookupAddress[]) => void): void =>
        found(null, [
            { address: "127.0.0.1", family: 4 },
            { address: "100::1", family: 6 },
        ]);

    beforeEach(async () => {
        Reflect.set(dns, "lookup", lookUpBoth);
        server = await SlowServer.start();
    });

    afterEach(async () => {
        Reflect.set(dns, "lookup", lookup);
        await server.stop();
    });

    it("reaches a host whose first address takes longer than 250 ms", async () => {
        const { stream }: RawStream = dial({ transport: "tcp", host: "broker.test", port: server.port });
        setTimeout(() => server.resume(), 400);
        await once(stream, "connect");
        stream.destroy();
    });

    it("the connection test reaches a host whose first address takes longer than 250 ms", async () => {
        setTimeout(() => server.resume(), 400);
        const steps = await testEndpoint({
            transport: "tcp",
            host: "localhost",
            port: server.port,
            clientId: "c",
            keepAliveS: 60,
            cleanSession: true,
        });
        assert.deepEqual(
            steps.filter(({ key }) => key !== "dns").map(({ key }) => key),
            ["tcp"],
        );
    });
});
