import { isBuiltin } from "node:module";

/** Whether this Node has SQLite built in, and needs no option for it: 22.13 and newer. Does not load it. */
export function isSqliteAvailable(): boolean {
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    return isBuiltin("node:sqlite") && (major > 22 || (major === 22 && minor >= 13));
}
