import { GatewayError } from "../errors";
import type { DeviceAddress } from "../protocol/identity";

/** How management messages reach the platform. They share the gateway's connection but never wait behind stored events. */
export interface ManagementLink {
    /**
     * Sends a message on behalf of a device; called only between `linkUp` and `linkDown`. For a device that the platform does not
     * know yet, the gateway waits here until it may register it. `settled` is called once: without an error when the platform
     * acknowledged the message, with `GW_NOT_CONNECTED` when the connection ended first, or with the refusal.
     */
    publish(device: DeviceAddress, topic: string, payload: string, qos: 0 | 1, settled: (error?: Error) => void): void;
}

/** Where the firmware of devices is kept over restarts; the gateway's state file has this shape. */
export interface FirmwareStore {
    entries(kind: string): Iterable<[key: string, value: string]>;
    put(kind: string, key: string, value: string): void;
    remove(kind: string, key: string): void;
    /** Resolves when everything put before is durable. */
    flush(): Promise<void>;
}

/** Whether an error only says that the connection ended, so that the message may be sent again over the next one. */
export function isLinkLoss(error: Error): boolean {
    return !(error instanceof GatewayError) || error.code === "GW_NOT_CONNECTED";
}

/** The error of a request or an answer that could not be sent. */
export function notConnected(text: string, cause?: Error): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", text, { cause });
}
