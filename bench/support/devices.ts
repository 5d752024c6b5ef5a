/** The device type of all devices that take part. */
export const deviceType = "sensor";

/** The id of a device by its number. */
export function deviceName(device: number): string {
    return `device-${device}`;
}

/** The topic of the events of a device. */
export function eventTopicOf(device: number): string {
    return `iot-2/type/${deviceType}/id/${deviceName(device)}/evt/status/fmt/json`;
}

/** The topic of a command to a device; without a device, the filter of that command to all of them. */
export function commandTopicOf(device: number | undefined, command: string): string {
    return `iot-2/type/${deviceType}/id/${device === undefined ? "+" : deviceName(device)}/cmd/${command}/fmt/json`;
}

/** Where a device publishes on a broker in the field, before any gateway has seen it. */
export function fieldTopic(device: string): string {
    return `field/${deviceType}/${device}`;
}

/** The index with which a payload was made, below a million. */
export function indexOf(payload: Buffer): number {
    return Number(/"count":(\d+)/.exec(payload.toString())?.[1]) - 1_000_000;
}

/** The payload of a message as an object, which takes so many bytes as JSON. */
export function payloadOf(index: number, bytes: number): Record<string, unknown> {
    const payload = { count: 1_000_000 + (index % 1_000_000), temperature: 21.5, unit: "C", note: "" };
    payload.note = filler(bytes - 57);
    return payload;
}

const fillers = new Map<number, string>();

function filler(length: number): string {
    let text = fillers.get(length);
    if (text === undefined) {
        text = "x".repeat(Math.max(length, 0));
        fillers.set(length, text);
    }
    return text;
}
