/** What of a received packet is looked at. */
export interface PacketShape {
    readonly cmd: string;
    readonly messageId?: number | undefined;
    /** Bytes after the fixed header. */
    readonly length?: number | undefined;
    /** The return codes of a SUBACK. */
    readonly granted?: unknown;
}

/**
 * What is wrong with a packet that MQTT.js lets through, in words; undefined when nothing is. It reads a missing packet id as
 * -1, or from the packet that follows, which would acknowledge something else.
 */
export function packetFault({ cmd, messageId, length, granted }: PacketShape): string | undefined {
    const isCut = packetsOfAnId.has(cmd) && length !== undefined && length < 2;
    if (isCut || (messageId !== undefined && messageId < 1)) return `sent a ${cmd.toUpperCase()} without a packet id`;
    if (cmd !== "suback" || !Array.isArray(granted) || granted.length === 1) return undefined;
    return `answered a SUBSCRIBE of one filter with ${granted.length} return codes`;
}

const packetsOfAnId: ReadonlySet<string> = new Set(["puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback"]);
