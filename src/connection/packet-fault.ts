import { translate } from "../i18n";

/**
 * What is wrong with a packet that MQTT.js lets through, in a sentence; undefined when nothing is. It reads a missing packet id as
 * -1, or from the packet that follows, which would acknowledge something else.
 */
export function packetFault({ cmd, messageId, length, granted }: PacketShape): string | undefined {
    const isCut = packetsOfAnId.has(cmd) && length !== undefined && length < 2;
    if (isCut || (messageId !== undefined && messageId < 1)) return translate("connection.noPacketId", { packet: cmd.toUpperCase() });
    if (cmd !== "suback" || !Array.isArray(granted) || granted.length === 1) return undefined;
    return translate("connection.returnCodes", { count: granted.length });
}

const packetsOfAnId: ReadonlySet<string> = new Set(["puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback"]);

/** What of a received packet is looked at. */
interface PacketShape {
    readonly cmd: string;
    readonly messageId?: number | undefined;
    /** Bytes after the fixed header. */
    readonly length?: number | undefined;
    /** The return codes of a SUBACK. */
    readonly granted?: unknown;
}
