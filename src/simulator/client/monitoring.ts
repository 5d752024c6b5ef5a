import type { Organisation } from "../organisation";
import type { ClientIdentity } from "./client-identity";
import { type CloseCode, closeReasons } from "./close-codes";

/** Publishes on a client's `mon` topic, for applications, that the client connected, disconnected or was refused. */
export function publishMonitoring(
    { identity, organisation }: IdentifiedClient,
    action: "Connect" | "Disconnect" | "FailedConnect",
    address: string,
    { at, connectedAt }: MonitoringTimes,
    closeCode?: CloseCode,
): void {
    const { clientClass, clientId, typeId, id } = identity;
    const payload = {
        Action: action,
        Time: at.toISOString(),
        ClientAddr: address,
        ClientID: clientId,
        Secure: false,
        Protocol: "mqtt4",
        ConnectTime: connectedAt.toISOString(),
        ...(closeCode === undefined ? {} : { CloseCode: closeCode, Reason: closeReasons[closeCode] }),
    };
    const isDevice = clientClass === "g" || clientClass === "d";
    const topic = isDevice ? `iot-2/type/${typeId}/id/${id}/mon` : `iot-2/app/${id}/mon`;
    organisation.publish({ topic, payload: Buffer.from(JSON.stringify(payload)), qos: 0 });
}

/** A client whose organisation is known, admitted or not. */
export interface IdentifiedClient {
    identity: ClientIdentity;
    organisation: Organisation;
}

interface MonitoringTimes {
    at: Date;
    connectedAt: Date;
}
