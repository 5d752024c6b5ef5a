const maxErrorCodes = 100;
const maxLogBytes = 500 * 1024;

/**
 * What the device-management server knows of one device. A device is unmanaged, managed, or, after its lifetime, dormant. Its
 * fields are shown as JSON by `GET /sim/devices`; only its methods change them.
 */
export class ManagedDevice {
    readonly typeId: string;
    readonly deviceId: string;
    managed = false;
    /** When the device becomes dormant, in milliseconds since the Unix epoch; absent = never. */
    dormantAt?: number;
    deviceActions = false;
    firmwareActions = false;
    bundles: readonly string[] = [];
    deviceInfo: Record<string, unknown> = {};
    metadata: Record<string, unknown> = {};
    location?: Record<string, unknown>;
    errorCodes: number[] = [];
    log: LogEntry[] = [];
    firmware: Firmware = { version: "", name: "", uri: "", verifier: "", state: 0, updateStatus: 0, updatedDateTime: "" };
    /** Whether the server observes `mgmt.firmware`, so that the device may notify it. */
    observed = false;

    constructor(typeId: string, deviceId: string) {
        this.typeId = typeId;
        this.deviceId = deviceId;
    }

    /** Whether requests may be sent to the device: it is managed, and its lifetime has not run out. */
    isActive(now: number): boolean {
        return this.managed && (this.dormantAt === undefined || now < this.dormantAt);
    }

    /** The device asked to be managed. `lifetimeSeconds` 0 = without end. */
    manage({ lifetimeSeconds, deviceActions, firmwareActions, bundles, deviceInfo, metadata }: ManageRequest, now: number): void {
        this.managed = true;
        if (lifetimeSeconds === 0) delete this.dormantAt;
        else this.dormantAt = now + lifetimeSeconds * 1000;
        this.deviceActions = deviceActions;
        this.firmwareActions = firmwareActions;
        this.bundles = bundles;
        if (deviceInfo) this.deviceInfo = deviceInfo;
        if (metadata) this.metadata = metadata;
    }

    /** The device asked not to be managed any longer. */
    unmanage(): void {
        this.managed = false;
        this.observed = false;
        delete this.dormantAt;
    }

    /** Replaces the whole location: a field that is left out is removed. */
    locate(location: Record<string, unknown>): void {
        this.location = { ...location };
    }

    addErrorCode(errorCode: number): void {
        this.errorCodes.push(errorCode);
        if (this.errorCodes.length > maxErrorCodes) this.errorCodes.shift();
    }

    clearErrorCodes(): void {
        this.errorCodes = [];
    }

    addLogEntry(entry: LogEntry): void {
        this.log.push(entry);
        while (logBytes(this.log) > maxLogBytes) this.log.shift();
    }

    clearLog(): void {
        this.log = [];
    }

    /** The device described its firmware, or the server set it. */
    setFirmware(firmware: Firmware): void {
        this.firmware = firmware;
    }

    /** The device runs this version of its firmware. */
    setFirmwareVersion(version: string): void {
        this.deviceInfo = { ...this.deviceInfo, fwVersion: version };
    }

    setObserved(observed: boolean): void {
        this.observed = observed;
    }
}

/** A valid request to be managed. */
export interface ManageRequest {
    lifetimeSeconds: number;
    deviceActions: boolean;
    firmwareActions: boolean;
    bundles: readonly string[];
    /** Absent = unchanged. */
    deviceInfo: Record<string, unknown> | undefined;
    /** Absent = unchanged. */
    metadata: Record<string, unknown> | undefined;
}

/** A device's firmware; also the value of the attribute `mgmt.firmware`. */
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

function logBytes(log: readonly LogEntry[]): number {
    return log.reduce((bytes, { message, data }) => bytes + message.length + (data?.length ?? 0) + 50, 0);
}
