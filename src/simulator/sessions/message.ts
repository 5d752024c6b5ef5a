import type { QoS } from "mqtt-packet";

/** A message between clients. */
export interface Message {
    topic: string;
    payload: Buffer;
    qos: QoS;
    /** Published: it is to be retained. Delivered: it was retained. Only plain clients retain messages. */
    retain?: boolean;
}
