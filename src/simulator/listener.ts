import type { Server } from "node:net";

/** The simulator cannot listen on a port; the message names it and says what to do. */
export class PortError extends Error {
    override readonly name = "PortError";
    readonly port: number;

    constructor(port: number, message: string, cause: unknown) {
        super(message, { cause });
        this.port = port;
    }
}

/** Starts listening and returns the port, which differs from the wanted one when that was 0. Rejects with a `PortError`. */
export function listen(server: Server, port: number, host: string, purpose: string): Promise<number> {
    return new Promise((resolve, reject) => {
        const onError = (error: NodeJS.ErrnoException): void => reject(new PortError(port, describe(error, port, host, purpose), error));
        if (!Number.isInteger(port) || port < 0 || port > 65535) {
            reject(new PortError(port, `The port for ${purpose} must be a whole number from 0 to 65535; it is ${port}.`, undefined));
            return;
        }
        server.once("error", onError);
        server.listen({ port, host }, () => {
            server.off("error", onError);
            // Errors of a running server concern one connection that could not be accepted.
            server.on("error", () => undefined);
            const address = server.address();
            resolve(typeof address === "object" && address ? address.port : port);
        });
    });
}

function describe(error: NodeJS.ErrnoException, port: number, host: string, purpose: string): string {
    const where = `The simulator cannot listen on port ${port} of ${host} for ${purpose}`;
    if (error.code === "EADDRINUSE") return `${where}: another program uses that port. Choose another port or end that program.`;
    if (error.code === "EACCES") return `${where}: this user may not. Choose a port above 1023.`;
    if (error.code === "EADDRNOTAVAIL") return `${where}: this machine has no such address.`;
    return `${where}: ${error.message}.`;
}
