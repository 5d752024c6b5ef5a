import type { ClientClass } from "./client/client-identity";

/** Why a topic or filter is not allowed: a return code, and the reason in the platform's text. */
export interface TopicRefusal {
    rc: 276 | 289;
    reason: string;
}

interface ClassRules {
    subscribe: readonly string[][];
    publish: readonly string[][];
}

const reasons = {
    rule: { rc: 276, reason: "The topic does not match an authorized rule" },
    characters: { rc: 276, reason: "The topic contains characters which are not allowed" },
    wildcard: { rc: 276, reason: "The topic contains a wildcard which is not valid" },
    unicode: { rc: 276, reason: "The topic is not valid Unicode" },
    shared: { rc: 276, reason: "The shared topic is not authorized" },
    system: { rc: 289, reason: "A system topic is not allowed" },
} as const satisfies Record<string, TopicRefusal>;

/** In a rule, `?` stands for one level that is not empty, and `*`, at the end, for all levels that follow. */
function rules(...topics: string[]): string[][] {
    return topics.map((topic) => topic.split("/"));
}

const device = "type/?/id/?";
const managementFromDevice = ["response", "notify", "device/update/?", "add/?/?", "clear/?/?", "mgmt/?"];

const application: ClassRules = {
    subscribe: rules(`iot-2/${device}/evt/?/fmt/?`, `iot-2/${device}/cmd/?/fmt/?`, `iot-2/${device}/mon`, "iot-2/app/?/mon"),
    publish: rules(`iot-2/${device}/evt/?/fmt/?`, `iot-2/${device}/cmd/?/fmt/?`),
};

const rulesByClass: Readonly<Record<ClientClass, ClassRules>> = {
    g: {
        subscribe: rules(`iot-2/${device}/cmd/?/fmt/?`, `iot-2/${device}/response`, `iot-2/${device}/notify`, "iotdm-1/*", "iot-2/mon"),
        publish: rules(`iot-2/${device}/evt/?/fmt/?`, ...managementFromDevice.map((suffix) => `iotdevice-1/${device}/${suffix}`)),
    },
    d: {
        subscribe: rules("iot-2/cmd/?/fmt/?", "iotdm-1/*", "iot-2/mon", "iot-2/notify"),
        publish: rules("iot-2/evt/?/fmt/?", ...managementFromDevice.map((suffix) => `iotdevice-1/${suffix}`)),
    },
    a: application,
    A: application,
};

function matches(levels: readonly string[], rule: readonly string[]): boolean {
    for (let index = 0; index < rule.length; index++) {
        const expected = rule[index];
        const level = levels[index];
        if (level === undefined) return false;
        if (expected === "*") return true;
        if (expected === "?" ? level === "" || level === "#" : level !== expected) return false;
    }
    return levels.length === rule.length;
}

/** Control characters and Unicode's noncharacters. */
const illegalCharacters =
    /[\u0000-\u001f\ufdd0-\ufdef\ufffe\uffff]|[\ud83f\ud87f\ud8bf\ud8ff\ud93f\ud97f\ud9bf\ud9ff\uda3f\uda7f\udabf\udaff\udb3f\udb7f\udbbf\udbff][\udffe\udfff]/;
const partialWildcard = /[^/][+#]|[+#][^/]|#\/?./;

function isSystem(topic: string): boolean {
    return topic === "$SYS" || topic.startsWith("$SYS/");
}

/** Whether clients of this class may publish on the topic; `undefined` = yes. */
export function checkPublish(clientClass: ClientClass, topic: string, levels: readonly string[]): TopicRefusal | undefined {
    if (topic.includes("\ufffd")) return reasons.unicode;
    if (topic.includes("+") || topic.includes("#") || illegalCharacters.test(topic)) return reasons.characters;
    if (isSystem(topic)) return reasons.system;
    return rulesByClass[clientClass].publish.some((rule) => matches(levels, rule)) ? undefined : reasons.rule;
}

/** Whether clients of this class may subscribe with the filter; `undefined` = yes. */
export function checkFilter(clientClass: ClientClass, filter: string, levels: readonly string[]): TopicRefusal | undefined {
    if (filter.includes("\ufffd")) return reasons.unicode;
    if (illegalCharacters.test(filter)) return reasons.characters;
    if (isSystem(filter)) return reasons.system;
    if (filter.startsWith("$SharedSubscription/")) return reasons.shared;
    if (partialWildcard.test(filter)) return reasons.wildcard;
    return rulesByClass[clientClass].subscribe.some((rule) => matches(levels, rule)) ? undefined : reasons.rule;
}

/** Whether plain MQTT clients may publish on the topic: on any without wildcards that does not begin with `$`. */
export function isPlainTopic(topic: string): boolean {
    return topic !== "" && !/[+#\0]/.test(topic) && !topic.startsWith("$");
}

/** Whether plain MQTT clients may subscribe with the filter: each wildcard is a whole level, and `#` is the last one. */
export function isPlainFilter(filter: string): boolean {
    return /^(?!\$)(?:(?:[^+#\0/]*|\+)\/)*(?:[^+#\0/]*|[+#])$/.test(filter);
}
