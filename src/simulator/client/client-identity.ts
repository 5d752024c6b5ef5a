/** `g` a gateway, `d` a device, `a` an application, `A` one of several instances that share an application. */
export type ClientClass = "g" | "d" | "a" | "A";

/** The parts of a client id. Applications have an `id` only. */
export interface ClientIdentity {
    clientClass: ClientClass;
    clientId: string;
    organisation: string;
    /** Empty for applications. */
    typeId: string;
    id: string;
}

/** The CONNACK code for an invalid client id: 2 for characters and length, 5 for everything else. */
export interface IdentityRefusal {
    returnCode: 2 | 5;
}

const idRule = /^[A-Za-z0-9_.-]{1,36}$/;

/** Whether a type or device id has only the legal characters and length. */
export function isLegalId(id: string): boolean {
    return idRule.test(id);
}

/** Whether a client id begins as one of a gateway, device or application. */
export function namesPlatformClass(clientId: string): boolean {
    return /^[gdaA]:/.test(clientId);
}

/**
 * Parses a client id. As on the real platform, a wrong number of parts, an empty part and an unknown class are "not authorized" (5).
 * Only illegal characters and lengths are "identifier rejected" (2). A colon in the last part counts as a character.
 */
export function parseClientId(clientId: string): ClientIdentity | IdentityRefusal {
    const [clientClass = "", organisation = "", ...rest] = clientId.split(":");
    if (clientClass === "g" || clientClass === "d") {
        const [typeId = "", ...idParts] = rest;
        const id = idParts.join(":");
        if (!idRule.test(organisation) || typeId === "" || id === "") return { returnCode: 5 };
        if (!idRule.test(typeId) || !idRule.test(id)) return { returnCode: 2 };
        return { clientClass, clientId, organisation, typeId, id };
    }
    if (clientClass === "a" || clientClass === "A") {
        const [id = "", ...instance] = rest;
        if (!idRule.test(organisation) || id === "") return { returnCode: 5 };
        const legal = idRule.test(id) && instance.length <= (clientClass === "A" ? 1 : 0) && instance.every(isLegalId);
        return legal ? { clientClass, clientId, organisation, typeId: "", id } : { returnCode: 2 };
    }
    return { returnCode: 5 };
}
