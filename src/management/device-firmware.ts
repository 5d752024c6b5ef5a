import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { isRecord, parseMembers } from "../protocol/json";

/**
 * The firmware of one device: its status, the image that the platform described, and the steps that the platform does not know yet.
 * A step leads from one status to the next:
 *
 * | status        | state, updateStatus   | step          | leads to      |
 * |---------------|-----------------------|---------------|---------------|
 * | `idle`        | 0, 0 or an error 2…6  | `downloading` | `downloading` |
 * | `downloading` | 1, 0                  | `downloaded`  | `downloaded`  |
 * | `downloaded`  | 2, 0                  | `updating`    | `updating`    |
 * | `updating`    | 2, 1                  | `updated`     | `idle`        |
 *
 * The step `failed` leads from every other status back to `idle`, so that the platform can start again. Repeating the current step
 * changes nothing. Protocol, section Device management.
 */
export class DeviceFirmware {
    #status: FirmwareNumbers = idle;
    #image: FirmwareImage = {};
    /** ISO 8601: when the status or the image changed last. */
    #updatedDateTime: string | undefined;
    #isObserved = false;
    /** The oldest first. */
    #unsent: readonly UnsentStep[] = [];
    #installedVersion: string | undefined;

    /** The firmware from its stored text. Whatever is missing or damaged takes the value of an idle device. Never throws. */
    static parse(text: string): DeviceFirmware {
        const stored = parseMembers(text) ?? {};
        const firmware = new DeviceFirmware();
        firmware.#status = parseStatus(stored.status);
        firmware.#image = parseImage(stored.image);
        firmware.#isObserved = stored.observed === true;
        firmware.#unsent = Array.isArray(stored.unsent) ? stored.unsent.flatMap(parseUnsent) : [];
        if (typeof stored.updatedDateTime === "string") firmware.#updatedDateTime = stored.updatedDateTime;
        if (typeof stored.installedVersion === "string") firmware.#installedVersion = stored.installedVersion;
        return firmware;
    }

    /** Everything that must survive a restart, as `JSON.stringify` writes it and `parse` reads it. */
    toJSON(): object {
        return {
            status: this.#status,
            image: this.#image,
            updatedDateTime: this.#updatedDateTime,
            observed: this.#isObserved,
            unsent: this.#unsent,
            installedVersion: this.#installedVersion,
        };
    }

    /** Whether it says no more than that of a device nobody knows, so that it need not be kept. */
    get isEmpty(): boolean {
        const isIdle = this.#status.state === 0 && this.#status.updateStatus === 0;
        const isUnknown = Object.keys(this.#image).length === 0 && this.#installedVersion === undefined;
        return isIdle && isUnknown && !this.#isObserved && this.#unsent.length === 0;
    }

    /** The name of the status. */
    get status(): "idle" | "downloading" | "downloaded" | "updating" {
        const { state, updateStatus } = this.#status;
        if (state === 0) return "idle";
        if (state === 1) return "downloading";
        return updateStatus === inProgress ? "updating" : "downloaded";
    }

    /** The texts that the platform described the image with. */
    get image(): FirmwareImage {
        return this.#image;
    }

    /** The version that the last update brought to the device, if there was one. */
    get installedVersion(): string | undefined {
        return this.#installedVersion;
    }

    /** The whole attribute, as an observer sees it. */
    get attribute(): Record<string, unknown> {
        const updatedDateTime = this.#updatedDateTime;
        return { ...this.#image, ...this.#status, ...(updatedDateTime !== undefined && { updatedDateTime }) };
    }

    /** The oldest step that the platform does not know yet. */
    get firstUnsent(): UnsentStep | undefined {
        return this.#unsent[0];
    }

    /** Why a download cannot begin, or undefined when it can. */
    get downloadProblem(): string | undefined {
        if (this.#status.state !== 0) return `The firmware is ${this.status}; a download can only begin when it is idle.`;
        const { uri } = this.#image;
        if (uri === undefined) return "No firmware uri was set; send a device update of mgmt.firmware first.";
        return URL.canParse(uri) ? undefined : "The firmware uri is not a valid URI.";
    }

    /** Why an update cannot begin, or undefined when it can. */
    get updateProblem(): string | undefined {
        if (this.status === "downloaded") return undefined;
        return `The firmware is ${this.status}; an update can only begin when it is downloaded.`;
    }

    /** A device update described the image. The status stays: only the device knows it. */
    describe(image: unknown, updatedDateTime: string): void {
        this.#image = { ...this.#image, ...parseImage(image) };
        this.#updatedDateTime = updatedDateTime;
    }

    /** From now on the platform wants to be notified of each step, or does not. */
    observe(isObserved: boolean): void {
        this.#isObserved = isObserved;
        if (!isObserved) this.#unsent = [];
    }

    /**
     * Makes a step; see the table.
     * @param reason why it failed: memory, connection, verification, image or uri. Absent = a lost connection while downloading, an
     * unsupported image later
     * @returns whether anything changed
     * @throws GW_DM_INVALID when the step does not follow from the status
     */
    advance(step: FirmwareStep, reason: unknown, updatedDateTime: string): boolean {
        const before = this.#status;
        const after = this.#next(step, reason);
        const change: FirmwareChange = {
            ...(before.state !== after.state && { state: after.state }),
            ...(before.updateStatus !== after.updateStatus && { updateStatus: after.updateStatus }),
        };
        if (Object.keys(change).length === 0) return false;
        this.#status = after;
        this.#updatedDateTime = updatedDateTime;
        if (step === "updated" && this.#image.version !== undefined) this.#installedVersion = this.#image.version;
        if (this.#isObserved) this.#unsent = [...this.#unsent, { step, change }].slice(-maxUnsent);
        return true;
    }

    /** The platform knows this step now, or will never take it. */
    notified(step: UnsentStep): void {
        if (this.#unsent[0] === step) this.#unsent = this.#unsent.slice(1);
    }

    #next(step: FirmwareStep, reason: unknown): FirmwareNumbers {
        const { status } = this;
        if (step === status) return this.#status;
        if (step === "failed") {
            if (status === "idle") throw outOfOrder(translate("firmware.nothingToFail", { step }));
            return { state: 0, updateStatus: reasonCode(reason, status) };
        }
        const { from, to } = transitions[step];
        if (status !== from) throw outOfOrder(translate("firmware.outOfOrder", { step, status, needed: from }));
        return to;
    }
}

/** The field of the device management protocol that holds everything about a device's firmware. */
export const firmwareField = "mgmt.firmware";

/** The steps that a flow reports. */
export type FirmwareStep = "downloading" | "downloaded" | "updating" | "updated" | "failed";

/** Whether a flow's value names a step. */
export function isFirmwareStep(value: unknown): value is FirmwareStep {
    return typeof value === "string" && steps.includes(value);
}

/** The texts that describe an image; the platform sets them before a download. */
export interface FirmwareImage {
    readonly name?: string;
    readonly version?: string;
    readonly uri?: string;
    readonly verifier?: string;
}

/** Why a value cannot be the image, or undefined when it can. */
export function imageProblem(value: unknown): string | undefined {
    if (!isRecord(value)) return "The value of mgmt.firmware is not an object.";
    const isTooLong = Object.values(parseImage(value)).some((text: string) => text.length > maxTextCharacters);
    return isTooLong ? `A text of mgmt.firmware is longer than ${maxTextCharacters} characters.` : undefined;
}

/** A step that the platform does not know yet. */
export interface UnsentStep {
    readonly step: string;
    readonly change: FirmwareChange;
}

/** The numbers that the platform knows a status by: state 0 idle, 1 downloading, 2 downloaded; 0 success, 1 in progress, 2…6 errors. */
interface FirmwareNumbers {
    readonly state: 0 | 1 | 2;
    readonly updateStatus: number;
}

/** The numbers that a step changed. */
type FirmwareChange = Partial<FirmwareNumbers>;

/** The longest text of an image that is kept, in characters. */
const maxTextCharacters = 4096;
/** A device makes a handful of steps for one update. More that could not be sent are the sign of a loop in a flow. */
const maxUnsent = 16;

const idle: FirmwareNumbers = { state: 0, updateStatus: 0 };
const inProgress = 1;
const connectionLost = 3;
const unsupportedImage = 5;
const reasonCodes: ReadonlyMap<unknown, number> = new Map([
    ["memory", 2],
    ["connection", connectionLost],
    ["verification", 4],
    ["image", unsupportedImage],
    ["uri", 6],
]);

const steps: readonly string[] = ["downloading", "downloaded", "updating", "updated", "failed"];
const transitions: Readonly<Record<Exclude<FirmwareStep, "failed">, { from: string; to: FirmwareNumbers }>> = {
    downloading: { from: "idle", to: { state: 1, updateStatus: 0 } },
    downloaded: { from: "downloading", to: { state: 2, updateStatus: 0 } },
    updating: { from: "downloaded", to: { state: 2, updateStatus: inProgress } },
    updated: { from: "updating", to: idle },
};

function reasonCode(reason: unknown, status: string): number {
    if (reason === undefined || reason === null || reason === "") return status === "downloading" ? connectionLost : unsupportedImage;
    const code = reasonCodes.get(reason);
    if (code !== undefined) return code;
    throw new GatewayError("GW_DM_INVALID", translate("firmware.reason"));
}

function outOfOrder(text: string): GatewayError {
    return new GatewayError("GW_DM_INVALID", text);
}

/** The image texts among the members of a value; anything else is left out. */
function parseImage(value: unknown): FirmwareImage {
    if (!isRecord(value)) return {};
    const { name, version, uri, verifier } = value;
    return {
        ...(typeof name === "string" && { name }),
        ...(typeof version === "string" && { version }),
        ...(typeof uri === "string" && { uri }),
        ...(typeof verifier === "string" && { verifier }),
    };
}

function parseStatus(value: unknown): FirmwareNumbers {
    const { state, updateStatus } = parseChange(value);
    return state === undefined ? idle : { state, updateStatus: updateStatus ?? 0 };
}

function parseUnsent(value: unknown): UnsentStep[] {
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
