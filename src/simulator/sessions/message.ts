import type { QoS } from "mqtt-packet";

/** A message inside the platform: its topic always names the device. */
export interface Message {
    topic: string;
    payload: Buffer;
    qos: QoS;
}
