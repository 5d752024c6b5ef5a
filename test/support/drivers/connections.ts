import { systemClock } from "../../../src/clock";
import { type ConnectionOptions, GatewayConnection } from "../../../src/connection/gateway-connection";
import { ConnectionRecorder } from "../doubles/connection-recorder";
import { waitFor } from "../wait-for";

/** Opens connections for a test and closes them all at its end. */
export class Connections {
    readonly #opened: GatewayConnection[] = [];

    /** A connection of gateway `gw`/`deviceId` of organisation `org`, started, over plain TCP unless the options say otherwise. */
    open(deviceId: string, options: Pick<ConnectionOptions, "port"> & Partial<ConnectionOptions>) {
        const recorder = new ConnectionRecorder();
        const connection = new GatewayConnection({
            host: "127.0.0.1",
            transport: "tcp",
            clientId: `g:org:gw:${deviceId}`,
            keepAliveS: 60,
            cleanSession: true,
            clock: systemClock,
            random: () => 0,
            ...options,
        });
        this.#opened.push(connection);
        connection.start(recorder);
        return { connection, recorder };
    }

    /** The same, resolving when it is online. */
    async online(deviceId: string, options: Pick<ConnectionOptions, "port"> & Partial<ConnectionOptions>) {
        const opened = this.open(deviceId, options);
        await waitFor(() => opened.connection.isOnline, `${deviceId} to be online`);
        return opened;
    }

    /** The reason a connection gives while it is down. */
    async reason(deviceId: string, options: Pick<ConnectionOptions, "port"> & Partial<ConnectionOptions>) {
        const { connection, recorder } = this.open(deviceId, options);
        const reason = await waitFor(() => recorder.lastReason, `${deviceId} to give a reason`);
        await connection.stop(1_000);
        return reason;
    }

    /** Closes them. */
    async close(): Promise<void> {
        await Promise.all(this.#opened.splice(0).map((connection) => connection.stop(1_000)));
    }
}
