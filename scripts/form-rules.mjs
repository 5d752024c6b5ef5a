// Writes resources/forms/generated.mjs: the rules that the forms share with the runtime, from the compiled code in dist/.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { root } from "./project.mjs";

const load = createRequire(path.join(root, "dist", "src", path.sep));

const { defaultPorts, encryptedTransports, gatewayRules, hostPattern, pathPattern } = load("./gateway/gateway-options.js");
const { eventRules } = load("./node-red/device-event-out.js");
const { commandRules } = load("./node-red/device-command-in.js");
const { notificationRules } = load("./node-red/gateway-notify-in.js");
const { testedProperties } = load("./node-red/admin/connection-test-request.js");
const { variablePattern } = load("./settings.js");
const { bundlePattern, responderRules } = load("./node-red/dm-responder.js");
const { idPattern, levelPattern, maxLevelBytes } = load("./protocol/identity.js");

const properties = {
    "gateway-config": gatewayRules,
    "device-event-out": eventRules,
    "device-command-in": commandRules,
    "gateway-notify-in": notificationRules,
    "dm-responder": responderRules,
};
const patterns = {
    variable: variablePattern,
    id: idPattern,
    level: levelPattern,
    host: hostPattern,
    path: pathPattern,
    bundle: bundlePattern,
};

/** A value as JSON has it, and regular expressions as JavaScript has them. */
function declare(name, value) {
    const regularExpressions = [];
    const json = JSON.stringify(
        value,
        (_key, member) => (member instanceof RegExp ? `<${regularExpressions.push(member) - 1}>` : member),
        4,
    );
    return `export const ${name} = ${json.replace(/"<(\d+)>"/g, (_mark, index) => String(regularExpressions[index]))};\n`;
}

const file = path.join(root, "resources", "forms", "generated.mjs");
const declarations = Object.entries({ properties, patterns, maxLevelBytes, encryptedTransports, defaultPorts, testedProperties });
const text = declarations.map(([name, value]) => declare(name, value)).join("\n");
writeFileSync(file, `// Written by scripts/form-rules.mjs, from the code of the runtime. Not kept in git.\n\n${text}`);
