import { isIP } from "node:net";
import { GatewayError } from "../errors";
import { say } from "../i18n";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The web proxy that the environment names for a secure websocket, or undefined. Looks at `wss_proxy`, `https_proxy` and
 * `all_proxy`, lower case first, and leaves out the hosts of `no_proxy`, by the rules that Node-RED's own nodes follow.
 * The address may carry a user name and a password: only its `host` may be shown.
 * @throws GW_CONFIG when it is not the address of a web proxy
 */
export function proxyFor(host: string, port: number, environment: Environment): URL | undefined {
    if (!mayUseProxy(host.toLowerCase(), port, read(environment, "no_proxy"))) return undefined;
    const proxy = read(environment, "wss_proxy") || read(environment, "https_proxy") || read(environment, "all_proxy");
    if (proxy === "") return undefined;
    const url = parseAddress(proxy.includes("://") ? proxy : `http://${proxy}`);
    if (url) return url;
    throw new GatewayError("GW_CONFIG", say("connection.proxyAddress"));
}

function parseAddress(address: string): URL | undefined {
    try {
        const url = new URL(address);
        decodeURIComponent(url.username + url.password);
        return url.protocol === "http:" || url.protocol === "https:" ? url : undefined;
    } catch {
        // What is thrown has the address in it, and with that a password perhaps.
        return undefined;
    }
}

function read(environment: Environment, name: string): string {
    return environment[name] || environment[name.toUpperCase()] || "";
}

function mayUseProxy(host: string, port: number, exceptions: string): boolean {
    if (exceptions.trim() === "*") return false;
    return exceptions
        .toLowerCase()
        .split(/[,\s]+/)
        .filter((exception) => exception !== "")
        .every((exception) => !isException(host, port, exception));
}

/** An exception is a host, or with a leading `.` or `*` the end of one, and may name a port. */
function isException(host: string, port: number, exception: string): boolean {
    if (isIP(exception) === 6) return host === exception;
    const [, named = exception, portText] = /^(.+):(\d+)$/.exec(exception) ?? [];
    if (portText !== undefined && Number(portText) !== port) return false;
    if (named.startsWith("*")) return host.endsWith(named.slice(1));
    return named.startsWith(".") ? host.endsWith(named) : host === named.replace(/^\[(.+)\]$/, "$1");
}
