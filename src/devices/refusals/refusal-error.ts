import { GatewayError } from "../../errors";
import { inOneText, say, shortened } from "../../i18n";
import { type NotificationFields, returnCodes } from "../../protocol/notification";
import type { RefusalVerdict } from "../registration/registration-types";

/** What the platform said is cut to this: whoever sends a notification could fill the log with it. */
const maxCharacters = 500;

/**
 * The error that a refusal is for its sender: what the platform said, of which device, and what happens next.
 * @param device the key of the device, where it is known
 * @param candidateCount how many events it may have been
 */
export function refusalError(
    fields: NotificationFields,
    device: string | undefined,
    verdict: RefusalVerdict,
    candidateCount = 1,
): GatewayError {
    const { rc } = fields;
    const sentences = [
        refused(fields, device),
        ...(verdict.heldUntil === undefined ? [] : [say("devices.heldUntil", { time: new Date(verdict.heldUntil).toISOString() })]),
        verdict.willRetry ? say("devices.kept") : say("devices.notSentAgain"),
        ...(candidateCount > 1 ? [say("devices.guessed", { count: candidateCount })] : []),
        ...(rc === returnCodes.notAuthorised ? [say("devices.checkRole")] : []),
    ];
    return new GatewayError("GW_REFUSED", inOneText(sentences), { ...(rc !== undefined && { rc }), willRetry: verdict.willRetry });
}

function refused({ rc, message, topic }: NotificationFields, device: string | undefined): string {
    const what = refusedThing(topic, device);
    if (message === undefined) return rc === undefined ? say("devices.refused", { what }) : say("devices.refusedRc", { what, rc });
    const words = shortened(message.trim(), maxCharacters).replace(/\.$/, "");
    return rc === undefined
        ? say("devices.refusedMessage", { what, message: words })
        : say("devices.refusedRcMessage", { what, rc, message: words });
}

function refusedThing(fullTopic: string | undefined, device: string | undefined): string {
    const topic = fullTopic === undefined ? undefined : shortened(fullTopic, maxCharacters);
    if (device === undefined) return topic ?? say("devices.something");
    return topic === undefined ? say("devices.somethingOfDevice", { device }) : say("devices.topicOfDevice", { topic, device });
}
