/** The return codes of notifications that mean something to us; every other one is treated as a failure that may pass. */
const tooManyDevices = 173;
const notAuthorized = 180;
const createFailed = 177;
const systemError = 100;
const topicNotValid = 276;
const systemTopic = 289;

/** Whether the message itself was refused: it would be refused again. */
export function isFinal(rc: number): boolean {
    return rc === topicNotValid || rc === systemTopic;
}

/** Whether the connection has too many new devices, or too many registrations under way. */
export function isTooMany(rc: number): boolean {
    return rc === tooManyDevices;
}

/** Whether a device that was known no longer is. */
export function endsKnown(rc: number): boolean {
    return rc === notAuthorized || rc === createFailed || rc === systemError || rc === tooManyDevices;
}
