import type { Server as HttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import type { QoS } from "mqtt-packet";
import { Connection } from "./client/connection";
import type { Faults } from "./faults";
import { httpRoutes } from "./http/http-routes";
import { createJsonServer } from "./http/http-server";
import { listen } from "./listener";
import type { Observation } from "./observation";
import { resolveOptions, type SimulatorOptions } from "./options";
import type { Organisation } from "./organisation";
import { Platform } from "./platform";

export type { Fault, FaultScope } from "./faults";
export type { PacketCounts, ReceivedPacket } from "./observation";
export type { RegistrationRule, SimulatorEvent, SimulatorOptions } from "./options";

const sweepMs = 250;

/** A running platform. */
export interface Simulator {
    readonly host: string;
    /** The MQTT port. */
    readonly port: number;
    readonly httpPort: number;
    /** What came in from clients. */
    readonly observed: Observation;
    /** What goes wrong on purpose. */
    readonly faults: Faults;
    /** Whether the line is cut. */
    readonly linkDown: boolean;
    /** The registry, first contacts and sessions of an organisation; throws for one the platform does not know. */
    organisation(name: string): Organisation;
    /** Cuts the line of every client and refuses new ones, or lets them in again. */
    setLink(down: boolean): void;
    /** Cuts the line of one client; `false` when it is not connected. */
    cut(clientId: string): boolean;
    /** Publishes inside the platform, as its own servers do; the topic names the device. Returns the copies made. */
    publish(organisation: string, topic: string, payload: string | Buffer, qos?: QoS): number;
    /** Ends every connection and both servers. */
    close(): Promise<void>;
}

/** Starts a platform. Rejects with a `PortError` when a port is not free. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
    const settings = resolveOptions(options);
    const platform = new Platform(settings);
    let linkDown = false;
    let closing: Promise<void> | undefined;

    const sockets = new Set<Socket>();
    const mqttServer = createServer((socket) => {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        if (linkDown) {
            socket.on("error", () => undefined);
            socket.resetAndDestroy();
        } else {
            platform.connections.add(new Connection(platform, socket));
        }
    });
    const port = await listen(mqttServer, settings.port, settings.host, "MQTT");
    settings.port = port;

    const simulator: Simulator = {
        host: settings.host,
        port,
        get httpPort() {
            return settings.httpPort;
        },
        observed: platform.observed,
        faults: platform.faults,
        get linkDown() {
            return linkDown;
        },
        organisation(name) {
            const organisation = platform.organisation(name);
            if (!organisation) throw new Error(`The simulator has no organisation ${name}.`);
            return organisation;
        },
        setLink(down) {
            linkDown = down;
            if (down) for (const connection of [...platform.connections]) connection.close(91);
        },
        cut(clientId) {
            const connection = [...platform.connections].find((each) => each.clientId === clientId);
            connection?.close(91);
            return connection !== undefined;
        },
        publish(organisation, topic, payload, qos = 1) {
            return simulator.organisation(organisation).publish({ topic, payload: Buffer.from(payload), qos });
        },
        close() {
            closing ??= stop(platform, sockets, mqttServer, httpServer);
            return closing;
        },
    };

    const httpServer = createJsonServer(settings.token, httpRoutes(simulator, platform));
    try {
        settings.httpPort = await listen(httpServer, settings.httpPort, settings.host, "its HTTP API");
    } catch (error) {
        await stop(platform, sockets, mqttServer);
        throw error;
    }
    platform.timers.every(sweepMs, () => {
        const now = performance.now();
        for (const connection of platform.connections) connection.checkSilence(now);
    });
    return simulator;
}

async function stop(platform: Platform, sockets: Iterable<Socket>, mqttServer: Server, httpServer?: HttpServer): Promise<void> {
    const stopped = [mqttServer, httpServer].map(
        (server) => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())),
    );
    httpServer?.closeAllConnections();
    for (const connection of [...platform.connections]) connection.close(92);
    for (const socket of sockets) socket.destroy();
    platform.timers.dispose();
    await Promise.all(stopped);
}
