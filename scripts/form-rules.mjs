// Writes what the forms share with the runtime to resources/forms/: its rules, from the compiled code in dist/, and its code for ids and
// topics, without the types.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
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

const properties = {
    "gateway-config": gatewayRules,
    "device-event-out": eventRules,
    "device-command-in": commandRules,
    "gateway-notify-in": notificationRules,
    "dm-responder": responderRules,
};
const patterns = { variable: variablePattern, host: hostPattern, path: pathPattern, bundle: bundlePattern };

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

const forms = path.join(root, "resources", "forms");
const declarations = Object.entries({ properties, patterns, encryptedTransports, defaultPorts, testedProperties });
const text = declarations.map(([name, value]) => declare(name, value)).join("\n");
const origin = "// Written by scripts/form-rules.mjs, from the code of the runtime. Not kept in git.";
writeFileSync(path.join(forms, "generated.mjs"), `${origin}\n\n${text}`);

for (const name of ["id-rules", "own-topics", "topic-template"]) {
    const source = readFileSync(path.join(root, "src", "protocol", `${name}.ts`), "utf8");
    const code = stripTypeScriptTypes(source)
        .replace(/ from "\.\/([\w-]+)"/g, ' from "./$1.mjs"')
        .replace(/ +$/gm, "");
    writeFileSync(path.join(forms, `${name}.mjs`), `${origin}\n\n${code.replace(/\n{3,}/g, "\n\n")}`);
}
