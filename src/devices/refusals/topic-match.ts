const nul = 0;
const firstPrintable = 0x20;
const replacement = 0x3f;

/**
 * Whether the topic in a notification can be the topic that was sent. The platform replaces control characters by `?` and
 * cuts the topic at a NUL; everything else must be equal.
 */
export function topicMatches(sent: string, notified: string): boolean {
    if (sent === notified) return true;
    for (let index = 0; index < sent.length; index++) {
        const code = sent.charCodeAt(index);
        if (code === nul && index === notified.length) return true;
        const seen = notified.charCodeAt(index);
        if (seen !== code && !(code < firstPrintable && seen === replacement)) return false;
    }
    return sent.length === notified.length;
}
