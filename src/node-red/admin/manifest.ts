import { readFileSync } from "node:fs";
import path from "node:path";
import { membersOf } from "../../protocol/json";

/** The version of this package and the types of its nodes, from `package.json`. */
export function readManifest(): { readonly version: string; readonly nodeTypes: readonly string[] } {
    // The compiled file is four folders below it.
    const text = readFileSync(path.join(__dirname, "..", "..", "..", "..", "package.json"), "utf8");
    const manifest = membersOf(JSON.parse(text));
    return { version: String(manifest.version), nodeTypes: Object.keys(membersOf(membersOf(manifest["node-red"]).nodes)) };
}
