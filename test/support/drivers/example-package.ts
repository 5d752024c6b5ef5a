import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const packageName = "node-red-contrib-wiotp-gateway";

/**
 * A user directory in which the built package is installed, its examples moved from the simulator's usual port to `port`, so
 * that tests can run beside a Node-RED that plays the examples.
 */
export function installExamples(port: number): string {
    const userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-examples-"));
    const target = path.join(userDir, "node_modules", packageName);
    mkdirSync(target, { recursive: true });
    for (const name of ["dist", "resources", "examples", "package.json"]) cpSync(name, path.join(target, name), { recursive: true });
    symlinkSync(path.resolve("node_modules"), path.join(target, "node_modules"), "dir");
    writeFileSync(
        path.join(userDir, "package.json"),
        JSON.stringify({ name: "user", private: true, dependencies: { [packageName]: "*" } }),
    );
    const examples = path.join(target, "examples");
    for (const file of readdirSync(examples)) {
        const text = readFileSync(path.join(examples, file), "utf8");
        writeFileSync(path.join(examples, file), text.replaceAll("18830", String(port)).replaceAll("18831", String(port + 1)));
    }
    return userDir;
}
