import type { Organisation } from "../organisation";
import type { ClientIdentity } from "./client-identity";
import { type CloseCode, closeReasons } from "./close-codes";

/** A client whose organisation is known, admitted or not. */
export interface KnownClient {
    identity: ClientIdentity;
    organisation: Organisation;
}

/** Tells the applications that watch the `mon` topics that a client came, went or was not let in. */
export function publishMonitoring(
    { identity, organisation }: KnownClient,
    action: "Connect" | "Disconnect" | "FailedConnect",
    address: string,
    connectedAt: Date,
    closeCode?: CloseCode,
): void {
    const { clientClass, clientId, typeId, id } = identity;
    const payload = {
        Action: action,
        Time: new Date().toISOString(),
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
