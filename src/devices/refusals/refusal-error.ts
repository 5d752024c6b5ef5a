import { GatewayError } from "../../errors";
import { joinSentences, shortened, translate } from "../../i18n";
import { type NotificationFields, returnCodes } from "../../protocol/notification";

/** The platform's text is cut to this length: the sender of a notification could fill the log with it. */
const maxCharacters = 500;

/**
 * The error that a refusal is for its sender: what the platform said, of which device, and what happens next.
 * @param device the key of the device, where it is known
 * @param candidateCount how many events it may have been
 */
export function refusalError(
    fields: NotificationFields,
    device: string | undefined,
    verdict: RefusalFate,
    candidateCount = 1,
): GatewayError {
    const { rc } = fields;
    const sentences = [
        refused(fields, device),
        ...(verdict.heldUntil === undefined ? [] : [translate("devices.heldUntil", { time: new Date(verdict.heldUntil).toISOString() })]),
        verdict.willRetry ? translate("devices.kept") : translate("devices.notSentAgain"),
        ...(candidateCount > 1 ? [translate("devices.guessed", { count: candidateCount })] : []),
        ...(rc === returnCodes.notAuthorised ? [translate("devices.checkRole")] : []),
    ];
    return new GatewayError("GW_REFUSED", joinSentences(sentences), { ...(rc !== undefined && { rc }), willRetry: verdict.willRetry });
}

/** What happens to the refused message and its device. */
export interface RefusalFate {
    /** Whether the message is kept and will be sent again. */
    readonly willRetry: boolean;
    /** When the device will be tried again (wall clock, milliseconds), where it is held. */
    readonly heldUntil?: number;
}

function refused({ rc, message, topic }: NotificationFields, device: string | undefined): string {
    const what = refusedThing(topic, device);
    if (message === undefined)
        return rc === undefined ? translate("devices.refused", { what }) : translate("devices.refusedRc", { what, rc });
    const words = shortened(message.trim(), maxCharacters).replace(/\.$/, "");
    return rc === undefined
        ? translate("devices.refusedMessage", { what, message: words })
        : translate("devices.refusedRcMessage", { what, rc, message: words });
}

function refusedThing(fullTopic: string | undefined, device: string | undefined): string {
    const topic = fullTopic === undefined ? undefined : shortened(fullTopic, maxCharacters);
    if (device === undefined) return topic ?? translate("devices.something");
    return topic === undefined ? translate("devices.somethingOfDevice", { device }) : translate("devices.topicOfDevice", { topic, device });
}
