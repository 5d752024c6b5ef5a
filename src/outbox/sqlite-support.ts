import { isBuiltin } from "node:module";

/** The first version of Node in which SQLite is built in without an option. */
export const firstNodeWithSqlite = "22.13";

/** Whether this Node has SQLite built in. Does not load it. */
export function isSqliteAvailable(): boolean {
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    return isBuiltin("node:sqlite") && (major > 22 || (major === 22 && minor >= 13));
}
