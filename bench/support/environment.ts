import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** The machine and the versions of a measurement, in one line. */
export function environment(): string {
    const [cpu] = os.cpus();
    const memoryGb = Math.round(os.totalmem() / 2 ** 30);
    const core = path.dirname(require.resolve("@node-red/nodes/package.json", { paths: [require.resolve("node-red/package.json")] }));
    return [
        `${cpu?.model.trim()}, ${os.cpus().length} cores, ${memoryGb} GB, ${os.type()} ${os.release().split("-")[0]}`,
        `Node.js ${process.versions.node}`,
        `Node-RED ${versionOf("node-red")}`,
        `MQTT.js ${versionOf("mqtt")} (core nodes: ${versionOf("mqtt", core)})`,
        `Mosquitto ${mosquittoVersion()}`,
    ].join(" · ");
}

function versionOf(name: string, from = process.cwd()): string {
    const file = require.resolve(`${name}/package.json`, { paths: [from] });
    const { version }: { version: string } = JSON.parse(readFileSync(file, "utf8"));
    return version;
}

function mosquittoVersion(): string {
    try {
        return execFileSync("/usr/sbin/mosquitto", ["-h"], { encoding: "utf8" }).split("\n")[0]?.split(" ").at(-1) ?? "";
    } catch (error) {
        // Older versions print their help with status 1.
        return /version (\S+)/.exec(String(Object(error).stdout))?.[1] ?? "unknown";
    }
}
