/** What is known of a device's firmware; also the value of the attribute `mgmt.firmware`. */
export interface Firmware {
    version: string;
    name: string;
    uri: string;
    verifier: string;
    /** 0 idle, 1 downloading, 2 downloaded. */
    state: number;
    /** 0 success, 1 in progress, 2 out of memory, 3 connection lost, 4 verification failed, 5 unsupported image, 6 invalid URI. */
    updateStatus: number;
    updatedDateTime: string;
}

/** One entry of a device's log. */
export interface LogEntry {
    message: string;
    timestamp: string;
    severity?: number;
    data?: string;
}

/** What the device-management server knows of one device. */
export interface ManagedDevice {
    typeId: string;
    deviceId: string;
    managed: boolean;
    /** When the device becomes dormant, in milliseconds since the Unix epoch; absent = never. */
    dormantAt?: number;
    deviceActions: boolean;
    firmwareActions: boolean;
    bundles: string[];
    deviceInfo: Record<string, unknown>;
    metadata: Record<string, unknown>;
    location?: Record<string, unknown>;
    errorCodes: number[];
    log: LogEntry[];
    firmware: Firmware;
    /** Whether the server observes `mgmt.firmware`, so that the device may notify it. */
    observed: boolean;
}

/** A device of which nothing is known yet. */
export function newManagedDevice(typeId: string, deviceId: string): ManagedDevice {
    return {
        typeId,
        deviceId,
        managed: false,
        deviceActions: false,
        firmwareActions: false,
        bundles: [],
        deviceInfo: {},
        metadata: {},
        errorCodes: [],
        log: [],
        firmware: { version: "", name: "", uri: "", verifier: "", state: 0, updateStatus: 0, updatedDateTime: "" },
        observed: false,
    };
}

/** Whether the device may be sent requests: it has said so and its lifetime has not run out. */
export function isActive(device: ManagedDevice, now: number): boolean {
    return device.managed && (device.dormantAt === undefined || now < device.dormantAt);
}
