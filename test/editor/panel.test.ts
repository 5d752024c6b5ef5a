import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { deviceFilters } from "../../src/gateway/monitor/gateway-overview";
import { troubleKinds } from "../../src/gateway/monitor/simulator-control";
import { languages, readPanelCatalogue, readPanelScripts, root } from "../support/drivers/editor-forms";

const read = (...parts: string[]) => readFileSync(path.join(root, ...parts), "utf8");
const folder = path.join("resources", "panel");
const scripts = readPanelScripts();
const prefix = "gateway-panel.";

/** The runtime's sources, where names of states and outcomes come from. */
const runtime = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => read("src", name))
    .join("\n");

/** The words of a union of string literals, or of a list of them, as it is declared in the runtime. */
function words(file: string, declaration: string): string[] {
    const text = new RegExp(`${declaration}[^;]*;`).exec(read("src", ...file.split("/")))?.[0] ?? assert.fail(`${declaration} in ${file}`);
    return [...text.matchAll(/"([\w-]+)"/g)].map((match) => match[1] ?? "");
}

/** Keys that the panel makes of a name that the runtime sends. */
const made: Readonly<Record<string, readonly string[]>> = {
    phase: ["online", "paused", "connecting", "waiting", "closed"],
    registration: words("devices/registration/registration-types.ts", "export type RegistrationPhase ="),
    hold: words("devices/registration/registration-types.ts", "export type HoldReason ="),
    management: words("management/managed-devices.ts", "export type ManagedPhase ="),
    command: [...words("gateway/inbound/command.ts", "export const commandOutcomes ="), "working"],
    certificate: [...words("connection/presented-certificates.ts", "readonly whose:"), "expired"],
    suspectKind: words("connection/sent-packet.ts", "export type PacketKind ="),
    request: words("management/request-history.ts", "readonly outcome:"),
    outbox: [...words("gateway/gateway-options.ts", "export const outboxKinds ="), "degraded"],
    status: words("simulator/management/requests.ts", "export type RequestStatus ="),
    filter: ["all", ...deviceFilters],
    trouble: troubleKinds,
    outcome: [
        ...[...runtime.matchAll(/\b(?:done|notDone)\(\s*"(\w+)"|\? "(\w+)" : "(\w+)"\)/g)].flatMap((match) => match.slice(1)),
        ...words("gateway/monitor/simulator-control.ts", "const troubleOutcomes ="),
        ...words("gateway/monitor/gateway-actions.ts", "const linkOutcomes ="),
    ].filter((name) => name !== undefined),
};

describe("the panel", () => {
    const reference = readPanelCatalogue("en-US");
    const has = (key: string) => reference.has(`${prefix}${key}`);

    it("loads each of its scripts in any order", () => {
        const loaded = new Set([...read("plugins", "gateway-panel.html").matchAll(/panel\/([\w.-]+)"/g)].map((match) => match[1] ?? ""));
        assert.deepEqual([...loaded], ["panel.css", "panel.mjs"]);
        for (const file of loaded)
            for (const [, imported = ""] of read(folder, file).matchAll(/^import .* from "\.\/([\w.-]+)";$/gm)) loaded.add(imported);
        assert.deepEqual([...loaded].sort(), readdirSync(path.join(root, folder)).sort());
    });

    it("has a text for every key that it uses", () => {
        const literal = [...scripts.matchAll(/\btext\(\s*"([\w.-]+)"/g)].map((match) => match[1] ?? "");
        const buttons = [...scripts.matchAll(/\bbutton\("(\w+)"/g)].map((match) => `action.${match[1]}`);
        const composed = Object.entries(made).flatMap(([group, names]) => names.map((name) => `${group}.${name}`));
        assert.ok(literal.length > 20 && buttons.length > 2 && composed.length > 50);
        assert.deepEqual(
            [...literal, ...buttons, ...composed].filter((key) => !has(key)),
            [],
        );
    });

    it("has no unused text", () => {
        const named = (name: string) => new RegExp(`["'\`.]${name}["'\`]|\\b${name}:`).test(scripts);
        const unused = [...reference.keys()].filter((full) => {
            const key = full.slice(prefix.length);
            const [group = "", name] = key.split(".");
            if (name === undefined) return !scripts.includes(`"${key}"`);
            return !scripts.includes(`"${key}"`) && !(made[group]?.includes(name) ?? named(name));
        });
        assert.deepEqual(unused, []);
    });

    for (const language of languages) {
        it(`the panel's catalogue in ${language} is complete, with the same parameters`, () => {
            const translated = readPanelCatalogue(language);
            assert.deepEqual([...translated.keys()], [...reference.keys()]);
            const parameters = (text: string | undefined) => (text?.match(/__\w+__/g) ?? []).sort();
            for (const [key, value] of translated) {
                assert.ok(value.trim().length > 0, key);
                assert.deepEqual(parameters(value), parameters(reference.get(key)), `${language}: ${key}`);
            }
            const same = language === "en-US" ? [] : [...reference].filter(([key, value]) => translated.get(key) === value);
            assert.ok(same.length <= 10, `${language} is not translated: ${same.map(([key]) => key).join(", ")}`);
        });
    }

    it("shows data as text only, and defines no global name in the page", () => {
        assert.doesNotMatch(scripts, /innerHTML|outerHTML|insertAdjacentHTML|\.html\(|document\.write|\beval\b|new Function/);
        assert.doesNotMatch(scripts, /\b(?:globalThis|window)\.\w+\s*(?:\?\?)?=(?!=)/);
    });

    it("uses only the editor's colours, for its light and its dark theme", () => {
        const styles = read(folder, "panel.css");
        assert.doesNotMatch(styles, /#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(/i);
        const colours = [...styles.matchAll(/(?:^|\s|-)(?:color|background|border(?:-(?:left|bottom))?):([^;]*);/g)].map(
            (match) => match[1]?.trim() ?? "",
        );
        assert.ok(colours.length > 10);
        for (const value of colours) assert.match(value, /var\(--red-ui-|^none$|^inherit$/);
    });
});
