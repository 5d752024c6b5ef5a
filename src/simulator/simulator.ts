import { createServer, type Server, Socket } from "node:net";
import type { QoS } from "mqtt-packet";
import { Connection } from "./client/connection";
import type { ClientStream } from "./client/packet-stream";
import type { Faults } from "./faults";
import { httpRoutes, type SimulatorActions } from "./http/http-routes";
import { createJsonServer } from "./http/http-server";
import type { Observation } from "./observation";
import { resolveOptions, type SimulatorOptions } from "./options";
import type { Organisation } from "./organisation";
import { Platform } from "./platform";

export type { Fault, FaultScope } from "./faults";
export type { PacketCounts, ReceivedPacket } from "./observation";
export type { RegistrationRule, SimulatorEvent, SimulatorOptions } from "./options";

const sweepMs = 250;

/** A platform with its MQTT server and its HTTP API. */
export class Simulator implements SimulatorActions {
    readonly host: string;
    readonly #platform: Platform;
    readonly #sockets = new Set<ClientStream>();
    /** Every open connection, including those that have not sent their CONNECT. */
    readonly #connections = new Set<Connection>();
    readonly #mqttServer = createServer((socket) => this.serve(socket));
    readonly #httpServer;
    #port: number;
    #httpPort: number;
    #linkDown = false;
    #isWatchingSilence = false;
    #frontEndStartsMs = 0;
    #closed: Promise<void> | undefined;

    constructor(options: SimulatorOptions) {
        const settings = resolveOptions(options);
        this.host = settings.host;
        this.#port = settings.port;
        this.#httpPort = settings.httpPort;
        this.#platform = new Platform(settings);
        this.#httpServer = createJsonServer(settings.token, httpRoutes(this, this.#platform));
    }

    /** The MQTT port. */
    get port(): number {
        return this.#port;
    }

    get httpPort(): number {
        return this.#httpPort;
    }

    /** The packets received from clients. */
    get observed(): Observation {
        return this.#platform.observed;
    }

    /** The faults that are switched on. */
    get faults(): Faults {
        return this.#platform.faults;
    }

    /** Whether the link is cut. */
    get linkDown(): boolean {
        return this.#linkDown;
    }

    /** Serves a client over a stream that is open. */
    serve(stream: ClientStream): void {
        this.#sockets.add(stream);
        stream.once("close", () => this.#sockets.delete(stream));
        if (this.#linkDown || this.#platform.timers.monotonicMs() < this.#frontEndStartsMs) {
            stream.on("error", () => undefined);
            if (stream instanceof Socket) stream.resetAndDestroy();
            else stream.destroy();
            return;
        }
        const connection: Connection = new Connection(this.#platform, stream, () => this.#connections.delete(connection));
        this.#connections.add(connection);
        this.#watchSilence();
    }

    /** Opens both ports. Rejects with a `PortError` if a port is not free; then neither is open. */
    async open(): Promise<void> {
        this.#port = await listen(this.#mqttServer, this.#port, this.host, "MQTT");
        try {
            this.#httpPort = await listen(this.#httpServer, this.#httpPort, this.host, "its HTTP API");
        } catch (error) {
            await this.close();
            throw error;
        }
    }

    /** The registry, device checks and sessions of an organisation. Throws for one that the platform does not know. */
    organisation(name: string): Organisation {
        const organisation = this.#platform.organisation(name);
        if (!organisation) throw new Error(`The simulator has no organisation ${name}.`);
        return organisation;
    }

    /** Cuts the link of every client and refuses new ones, or accepts them again. */
    setLink(down: boolean): void {
        this.#linkDown = down;
        if (down) for (const connection of [...this.#connections]) connection.close(91);
    }

    /** Cuts the link of one client. Returns `false` if it is not connected. */
    cut(clientId: string): boolean {
        const connection = [...this.#connections].find((each) => each.clientId === clientId);
        connection?.close(91);
        return connection !== undefined;
    }

    /**
     * Restarts the front end: every connection is closed, and the memory of checked devices is empty. The registry and durable sessions
     * stay. New connections are refused for `downMs`.
     */
    restartFrontEnd({ downMs = 0 }: { downMs?: number } = {}): void {
        this.#frontEndStartsMs = this.#platform.timers.monotonicMs() + downMs;
        for (const organisation of this.#platform.organisations()) organisation.restartFrontEnd();
        for (const connection of [...this.#connections]) connection.close(92);
    }

    /**
     * Moves a gateway to another front end, as a load balancer does: its connection is closed, and its next connections are served by
     * a front end whose memory is empty. Returns `false` if it is not connected.
     */
    moveToOtherFrontEnd(clientId: string): boolean {
        for (const organisation of this.#platform.organisations()) {
            const client = organisation.clients.get(clientId);
            if (!client) continue;
            organisation.moveToOtherFrontEnd(clientId);
            client.close(92);
            return true;
        }
        return false;
    }

    /** Publishes inside the platform, as its own servers do. The topic names the device. Returns the copies made. */
    publish(organisation: string, topic: string, payload: string | Buffer, qos: QoS = 1): number {
        return this.organisation(organisation).publish({ topic, payload: Buffer.from(payload), qos });
    }

    /** Ends every connection and both servers. */
    close(): Promise<void> {
        this.#closed ??= this.#close();
        return this.#closed;
    }

    async #close(): Promise<void> {
        const stopped = [this.#mqttServer, this.#httpServer].map(
            (server) => new Promise<void>((resolve) => (server.listening ? server.close(() => resolve()) : resolve())),
        );
        this.#httpServer.closeAllConnections();
        for (const connection of [...this.#connections]) connection.close(92);
        for (const socket of this.#sockets) socket.destroy();
        this.#platform.timers.dispose();
        await Promise.all(stopped);
    }

    /** Looks for silent connections while there are any. */
    #watchSilence(): void {
        if (this.#isWatchingSilence) return;
        this.#isWatchingSilence = true;
        this.#platform.timers.after(sweepMs, () => {
            this.#isWatchingSilence = false;
            for (const connection of this.#connections) connection.checkSilence();
            if (this.#connections.size > 0) this.#watchSilence();
        });
    }
}

/** Starts a simulator. Rejects with a `PortError` if a port is not free. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
    const simulator = new Simulator(options);
    await simulator.open();
    return simulator;
}

/** The simulator cannot listen on a port. The message names the port and the remedy. */
export class PortError extends Error {
    override readonly name = "PortError";
    readonly port: number;

    constructor(port: number, message: string, cause: unknown) {
        super(message, { cause });
        this.port = port;
    }
}

/** Starts listening and returns the port, which differs from the given one if that was 0. Rejects with a `PortError`. */
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
            // An error of a running server concerns one connection that could not be accepted.
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
