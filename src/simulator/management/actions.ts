import { isObject } from "../json";
import { type Dialogue, DialogueEnded } from "./dialogue";
import { readFirmwareValue } from "./firmware-notify";
import type { Firmware, ManagedDevice } from "./managed-device";

/** A parameter of a request. */
export interface Parameter {
    name: string;
    value: unknown;
}

/** One kind of request: which devices support it, and the dialogue that carries it out. */
export interface Action {
    isSupported: (device: ManagedDevice) => boolean;
    /** A device has at most one firmware request at a time. */
    isFirmware: boolean;
    run: (dialogue: Dialogue, parameters: readonly Parameter[]) => Promise<void>;
}

const observedField = { fields: [{ field: "mgmt.firmware" }] };
const failures: Readonly<Record<number, string>> = {
    2: "The device is out of memory.",
    3: "The connection was lost during the download.",
    4: "The image could not be verified.",
    5: "The device does not support the image.",
    6: "The URI is not valid.",
};

/** The action of that name: one of the four built-in ones or `{bundle}/{action}`; `undefined` for anything else. */
export function findAction(name: string): Action | undefined {
    if (name === "device/reboot") return deviceAction("mgmt/initiate/device/reboot");
    if (name === "device/factoryReset") return deviceAction("mgmt/initiate/device/factory_reset");
    if (name === "firmware/download") return firmwareAction(download, { state: 0, updateStatus: 0 });
    if (name === "firmware/update") return firmwareAction(update, {});
    const [bundle = "", action = "", ...more] = name.split("/");
    const isCustom = more.length === 0 && [bundle, action].every((part) => /^[A-Za-z0-9_.-]{1,255}$/.test(part));
    return isCustom && bundle !== "device" && bundle !== "firmware" ? customAction(bundle, action) : undefined;
}

function deviceAction(suffix: string): Action {
    return {
        isSupported: ({ deviceActions }) => deviceActions,
        isFirmware: false,
        async run(dialogue) {
            await dialogue.ask(suffix, 202);
            await dialogue.managedAgain();
        },
    };
}

function customAction(bundle: string, action: string): Action {
    return {
        isSupported: ({ bundles }) => bundles.includes(bundle),
        isFirmware: false,
        async run(dialogue, parameters) {
            const fields = parameters.map(({ name, value }) => ({ field: name, value }));
            await dialogue.ask(`mgmt/custom/${bundle}/${action}`, 200, fields.length === 0 ? undefined : { fields });
        },
    };
}

function firmwareAction(work: (dialogue: Dialogue) => Promise<void>, start: Partial<Firmware>): Action {
    return {
        isSupported: ({ firmwareActions }) => firmwareActions,
        isFirmware: true,
        async run(dialogue, parameters) {
            const { device } = dialogue;
            if (parameters.length > 0) {
                const value = { ...device.firmware, ...start, ...Object.fromEntries(parameters.map(({ name, value }) => [name, value])) };
                await dialogue.ask("device/update", 204, { fields: [{ field: "mgmt.firmware", value }] });
                device.setFirmware(value);
            }
            const { d } = await dialogue.ask("observe", 200, observedField);
            device.setFirmware(observedFirmware(d) ?? device.firmware);
            device.setObserved(true);
            try {
                await work(dialogue);
            } finally {
                device.setObserved(false);
            }
        },
    };
}

/** The firmware in the device's answer to observe; missing states are idle. */
function observedFirmware(d: unknown): Firmware | undefined {
    const fields: unknown[] = isObject(d) && Array.isArray(d.fields) ? d.fields : [];
    const entry = fields.find((each) => isObject(each) && each.field === "mgmt.firmware");
    if (!isObject(entry) || !isObject(entry.value)) return undefined;
    return readFirmwareValue(entry.value);
}

async function download(dialogue: Dialogue): Promise<void> {
    await dialogue.ask("mgmt/initiate/firmware/download", 202);
    let firmware = await dialogue.nextFirmware();
    while (firmware.state === 1) firmware = await dialogue.nextFirmware();
    await dialogue.ask("cancel", 200, observedField);
    if (firmware.state !== 2) throw new DialogueEnded(failures[firmware.updateStatus] ?? "The download failed.");
}

async function update(dialogue: Dialogue): Promise<void> {
    await dialogue.ask("mgmt/initiate/firmware/update", 202);
    let firmware = await dialogue.nextFirmware();
    while (firmware.updateStatus === 1) firmware = await dialogue.nextFirmware();
    if (firmware.updateStatus === 0) dialogue.device.setFirmwareVersion(firmware.version);
    await dialogue.ask("cancel", 200, observedField);
    if (firmware.updateStatus !== 0) throw new DialogueEnded(failures[firmware.updateStatus] ?? "The update failed.");
}
