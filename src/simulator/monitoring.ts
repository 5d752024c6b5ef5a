import type { Client } from "./client";
import { type CloseCode, closeReasons } from "./close-codes";

/** Tells the applications that watch the `mon` topics that a client came or went. */
export function publishMonitoring(client: Client, action: "Connect" | "Disconnect", closeCode?: CloseCode): void {
    const { clientClass, typeId, id } = client.identity;
    const isDevice = clientClass === "g" || clientClass === "d";
    const ending = closeCode === undefined ? {} : { CloseCode: closeCode, Reason: closeReasons[closeCode] };
    const payload = {
        Action: action,
        Time: new Date().toISOString(),
        ClientAddr: client.remoteAddress,
        ClientID: client.clientId,
        Port: client.platform.settings.port,
        Secure: false,
        Protocol: "mqtt4",
        ConnectTime: client.connectedAt.toISOString(),
        ...ending,
    };
    const topic = isDevice ? `iot-2/type/${typeId}/id/${id}/mon` : `iot-2/app/${id}/mon`;
    client.organisation.publish({ topic, payload: Buffer.from(JSON.stringify(payload)), qos: 0 });
}
