import { returnCodes } from "../../protocol/notification";

const { createFailed, notAuthorised, systemError, systemTopic, tooManyDevices, topicNotValid } = returnCodes;

/** Whether the message itself was refused: it would be refused again. What is not final is treated as a failure that may pass. */
export function isFinal(rc: number): boolean {
    return rc === topicNotValid || rc === systemTopic;
}

/** Whether the connection has too many new devices, or too many registrations under way. */
export function isTooMany(rc: number): boolean {
    return rc === tooManyDevices;
}

/** Whether the gateway is not allowed to act for the device. */
export function isNotAuthorised(rc: number): boolean {
    return rc === notAuthorised;
}

/** Whether a device that was known no longer is. */
export function endsKnown(rc: number): boolean {
    return rc === notAuthorised || rc === createFailed || rc === systemError || rc === tooManyDevices;
}
