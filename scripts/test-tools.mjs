// Brings the programs that tests need: installs them on Debian as root, elsewhere says what to install. Node.js comes from npm.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const packages = {
    mosquitto: ["mosquitto", "mosquitto-clients"],
    chromium: ["chromium"],
    nats: ["nats-server"],
    rabbitmq: ["rabbitmq-server"],
    ejabberd: ["ejabberd"],
    activemq: ["activemq", "libmqtt-client-java"],
};
const present = {
    mosquitto: ["mosquitto", "mosquitto_pub", "mosquitto_sub"],
    chromium: ["chromium"],
    nats: ["nats-server"],
    rabbitmq: ["rabbitmq-server", "epmd"],
    ejabberd: ["ejabberdctl", "erl"],
    activemq: ["activemq", "java"],
};
let _updated = false;

function found(program) {
    return ["/usr/sbin", ...(process.env.PATH ?? "").split(":")].some((directory) => existsSync(`${directory}/${program}`));
}

function canInstall() {
    return process.getuid?.() === 0 && existsSync("/etc/debian_version") && readFileSync("/etc/debian_version", "utf8").length > 0;
}

function aptGet(...args) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    return spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env }).status === 0;
}

/** Makes each named tool available; returns a sentence for each one that is not. */
export function provide(tools) {
    const missing = [];
    for (const tool of tools) {
        if (present[tool].every(found)) continue;
        if (canInstall()) {
            console.log(`Installing ${packages[tool].join(" ")} …`);
            _updated ||= aptGet("update");
            aptGet("install", "-y", "--no-install-recommends", ...packages[tool]);
        }
        if (!present[tool].every(found)) missing.push(`install ${packages[tool].join(" and ")} to run it`);
    }
    return missing;
}

/** The program of that version of Node.js, which npm keeps in its cache; undefined when npm cannot bring it. */
export function provideNode(version) {
    const args = ["exec", "--yes", `--package=node@${version}`, "--", "node", "-p", "process.execPath"];
    const shell = process.platform === "win32";
    const { status, stdout } = spawnSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], shell });
    return status === 0 ? stdout.trim() : undefined;
}
