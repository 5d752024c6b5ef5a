import { once } from "node:events";
import net from "node:net";

/** A port of this machine that is free at the moment, together with the one after it; for servers that cannot take port 0. */
export async function freePortPair(): Promise<number> {
    for (;;) {
        const first = await listen(0);
        const port = portOf(first);
        const second = port < 65_535 ? await listen(port + 1).catch(() => undefined) : undefined;
        await close(first);
        if (!second) continue;
        await close(second);
        return port;
    }
}

async function listen(port: number): Promise<net.Server> {
    const server = net.createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    return server;
}

async function close(server: net.Server): Promise<void> {
    server.close();
    await once(server, "close");
}

function portOf(server: net.Server): number {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    return address.port;
}
