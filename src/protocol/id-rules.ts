// The forms run this file in the browser, so it imports nothing.

/** What flows give of a topic. */
export const idNames = ["typeId", "deviceId", "eventId", "commandId", "format"] as const;
export type IdName = (typeof idNames)[number];

/** What one kind of id may look like: at least one character, each of them legal, and not too long. */
export interface IdRule {
    /** Matches legal text of any length. */
    readonly pattern: RegExp;
    /** Matches each illegal character; must have the flag `g`. */
    readonly illegal: RegExp;
    /** In UTF-8. */
    readonly maxBytes: number;
}

/** An organisation, type or device id. Protocol, section Connection. */
export const idRule: IdRule = {
    pattern: /^[A-Za-z0-9_.-]+$/,
    illegal: /[^A-Za-z0-9_.-]/gu,
    maxBytes: 36,
};

/**
 * One topic level: not empty, none of the topic's own characters, no control character (C0), no Unicode non-character
 * and no half of a surrogate pair. The platform accepts U+007F and any other text. Protocol, section Connection.
 */
const levelPattern = /^(?:(?![\u0000-\u001f/+#\p{Noncharacter_Code_Point}\p{Surrogate}]).)+$/su;
const illegalInLevel = /[\u0000-\u001f/+#\p{Noncharacter_Code_Point}\p{Surrogate}]/gu;

/** An event id, command id or format. A topic has at most 65535 bytes in MQTT, and one level may not take all of them. */
export const levelRule: IdRule = { pattern: levelPattern, illegal: illegalInLevel, maxBytes: 16_384 };

/** The rules of the platform. */
export const platformRules: Readonly<Record<IdName, IdRule>> = {
    typeId: idRule,
    deviceId: idRule,
    eventId: levelRule,
    commandId: levelRule,
    format: levelRule,
};

/** Any id on own topics. */
export const ownLevelRule: IdRule = { pattern: levelPattern, illegal: illegalInLevel, maxBytes: 255 };

/** An id that begins an own topic. Topics that begin with `$` are the server's, and `$share/…` would be a shared subscription. */
export const ownFirstLevelRule: IdRule = {
    pattern: new RegExp(`^(?!\\$)${levelPattern.source.slice(1)}`, levelPattern.flags),
    illegal: new RegExp(`^\\$|${illegalInLevel.source}`, illegalInLevel.flags),
    maxBytes: 255,
};

/** A client id or a user name: text of MQTT without control characters. */
export const mqttTextRule: IdRule = {
    pattern: /^(?:(?![\u0000-\u001f\p{Noncharacter_Code_Point}\p{Surrogate}]).)+$/su,
    illegal: /[\u0000-\u001f\p{Noncharacter_Code_Point}\p{Surrogate}]/gu,
    maxBytes: 255,
};

/** Whether a text is a legal id. */
export function isLegalId(text: string, { pattern, maxBytes }: IdRule): boolean {
    return text.length <= maxBytes && pattern.test(text) && !isLongerThan(text, maxBytes);
}

/** Whether a text has more bytes in UTF-8. Counts them only where the number of characters leaves it open. */
export function isLongerThan(text: string, maxBytes: number): boolean {
    return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes;
}

/**
 * A legal id for any text but the empty one: a legal id stays as it is. Otherwise illegal characters become `_`, and the id is cut
 * to end in `-` and six hex digits of a hash of the text, so that two texts do not become one id.
 */
export function replaceId(text: string, rule: IdRule): string {
    if (isLegalId(text, rule)) return text;
    const suffix = `-${hashDigits(text)}`;
    return cut(text.replace(rule.illegal, "_"), rule.maxBytes - suffix.length) + suffix;
}

/** The beginning of a text, at most `maxBytes` long and without a split character. */
function cut(text: string, maxBytes: number): string {
    let bytes = 0;
    let units = 0;
    for (const character of text.slice(0, maxBytes)) {
        bytes += new TextEncoder().encode(character).length;
        if (bytes > maxBytes) break;
        units += character.length;
    }
    return text.slice(0, units);
}

/** Six hex digits of an FNV-1a hash of the UTF-16 units, mixed as in MurmurHash3. Not cryptographic: nobody gains by a collision. */
function hashDigits(text: string): string {
    let hash = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
        hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
    return (hash >>> 8).toString(16).padStart(6, "0");
}
