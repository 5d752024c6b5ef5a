import type { SentPacket } from "../../src/connection/sent-packet";
import type { Qos } from "../../src/protocol/qos";

/** A publish for no device, as the connection is given it. */
export function testPacket(name: string, qos: Qos): SentPacket {
    return { kind: qos === 0 ? "direct" : "event", name, device: undefined, qos, bytes: 0 };
}
