import { randomInt } from "node:crypto";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";

// Below the range from which systems give ports to those who connect: a client elsewhere does not take the port of a server that is
// about to start or to come back, and a client that dials a stopped server does not meet itself.
const firstPort = 20_000;
const lastPort = 32_000;

/** A port of this machine that is free at the moment; for servers that cannot take port 0. */
export async function freePort(): Promise<number> {
    for (;;) {
        const port = randomInt(firstPort, lastPort);
        if (await isFree(port)) return port;
    }
}

/** The same, together with the one after it. */
export async function freePortPair(): Promise<number> {
    for (;;) {
        const port = await freePort();
        if (await isFree(port + 1)) return port;
    }
}

/** The port that a server listens on; 0 while it does not. */
export function portOf(server: { address(): AddressInfo | string | null }): number {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
}

async function isFree(port: number): Promise<boolean> {
    const server = net.createServer().listen(port, "127.0.0.1");
    try {
        await once(server, "listening");
    } catch {
        return false;
    }
    server.close();
    await once(server, "close");
    return true;
}
