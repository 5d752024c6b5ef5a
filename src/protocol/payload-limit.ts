import { GatewayError } from "../errors";
import { translate } from "../i18n";

/** The platform's limit for one message, in bytes: what exceeds it closes the connection without a word. */
export const maxPayloadBytes = 131_072;

/** Topic bytes beyond this number count towards the limit as well. */
const freeTopicBytes = 200;

/**
 * Checks a message against the platform's limit: payload bytes plus the topic bytes over 200 must not exceed 131072.
 * It is enforced here because the platform would cut the connection, losing everything in flight. Protocol, section Events.
 * @throws GW_PAYLOAD_TOO_LARGE
 */
export function assertFits(topic: string, payloadBytes: number): void {
    // A UTF-8 byte count is at most three times the length, so the usual short topic needs no counting.
    const extraBytes = topic.length * 3 <= freeTopicBytes ? 0 : Math.max(Buffer.byteLength(topic) - freeTopicBytes, 0);
    if (payloadBytes + extraBytes <= maxPayloadBytes) return;
    const text =
        extraBytes > 0
            ? translate("protocol.tooLargeWithTopic", {
                  payloadBytes,
                  topicBytes: extraBytes + freeTopicBytes,
                  freeTopicBytes,
                  maxPayloadBytes,
              })
            : translate("protocol.tooLarge", { payloadBytes, maxPayloadBytes });
    throw new GatewayError("GW_PAYLOAD_TOO_LARGE", text);
}
