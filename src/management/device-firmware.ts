import { isRecord, parseMembers } from "../protocol/json";
import { type FirmwareChange, type FirmwareStatus, idle } from "./firmware-status";

/** The texts that describe an image; the platform sets them before a download. */
export interface FirmwareImage {
    readonly name?: string;
    readonly version?: string;
    readonly uri?: string;
    readonly verifier?: string;
}

/** A step that the platform has not been told yet. */
export interface UnsentChange {
    readonly step: string;
    readonly change: FirmwareChange;
}

/** Everything about one device's firmware that must survive a restart. */
export interface FirmwareRecord {
    readonly status: FirmwareStatus;
    readonly image: FirmwareImage;
    /** ISO time of the last change. */
    readonly updatedDateTime?: string;
    /** Whether the platform wants to be notified. */
    readonly observed: boolean;
    /** Steps to notify, oldest first. */
    readonly unsent: readonly UnsentChange[];
    /** The version that the last update brought. */
    readonly installedVersion?: string;
}

/** Where firmware states are kept over restarts; the gateway's state file has this shape. */
export interface FirmwareStore {
    entries(kind: string): Iterable<[key: string, value: string]>;
    put(kind: string, key: string, value: string): void;
    remove(kind: string, key: string): void;
    /** Resolves when everything put before is durable. */
    flush(): Promise<void>;
}

/** The record of a device of which nothing is known. */
export const emptyRecord: FirmwareRecord = { status: idle, image: {}, observed: false, unsent: [] };

/** Whether a record says nothing, so that it need not be kept. */
export function isEmpty(record: FirmwareRecord): boolean {
    const { status, image, observed, unsent, installedVersion } = record;
    const isIdle = status.state === 0 && status.updateStatus === 0;
    return isIdle && !observed && unsent.length === 0 && installedVersion === undefined && Object.keys(image).length === 0;
}

/** The image texts among the members of a value; anything else is left out. */
export function parseImage(value: unknown): FirmwareImage {
    if (!isRecord(value)) return {};
    const { name, version, uri, verifier } = value;
    return {
        ...(typeof name === "string" && { name }),
        ...(typeof version === "string" && { version }),
        ...(typeof uri === "string" && { uri }),
        ...(typeof verifier === "string" && { verifier }),
    };
}

/** The longest text of an image that is kept, in characters. */
const maxTextCharacters = 4096;

/** Why a value cannot be the image, or undefined when it can. */
export function imageProblem(value: unknown): string | undefined {
    if (!isRecord(value)) return "The value of mgmt.firmware is not an object.";
    const isTooLong = Object.values(parseImage(value)).some((text: string) => text.length > maxTextCharacters);
    return isTooLong ? `A text of mgmt.firmware is longer than ${maxTextCharacters} characters.` : undefined;
}

/** A record from its stored text. What is missing or damaged takes the value of an idle device. */
export function parseRecord(text: string): FirmwareRecord {
    const stored = parseMembers(text) ?? {};
    const { updatedDateTime, installedVersion } = stored;
    return {
        status: parseStatus(stored.status) ?? idle,
        image: parseImage(stored.image),
        observed: stored.observed === true,
        unsent: Array.isArray(stored.unsent) ? stored.unsent.flatMap(parseUnsent) : [],
        ...(typeof updatedDateTime === "string" && { updatedDateTime }),
        ...(typeof installedVersion === "string" && { installedVersion }),
    };
}

function parseStatus(value: unknown): FirmwareStatus | undefined {
    const change = parseChange(value);
    return change.state === undefined ? undefined : { state: change.state, updateStatus: change.updateStatus ?? 0 };
}

function parseUnsent(value: unknown): UnsentChange[] {
    if (!isRecord(value) || typeof value.step !== "string") return [];
    return [{ step: value.step, change: parseChange(value.change) }];
}

function parseChange(value: unknown): FirmwareChange {
    if (!isRecord(value)) return {};
    const { state, updateStatus } = value;
    return {
        ...((state === 0 || state === 1 || state === 2) && { state }),
        ...(typeof updateStatus === "number" && { updateStatus }),
    };
}
