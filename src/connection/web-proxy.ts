import type { Agent } from "node:http";
import { HttpsProxyAgent } from "https-proxy-agent";
import { GatewayError } from "../errors";
import { say } from "../words";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The web proxy that the environment names for a secure websocket, or undefined. Looks at `wss_proxy`, `https_proxy` and
 * `all_proxy`, lower case first, and leaves out the hosts of `no_proxy`, by the rules that Node-RED's own nodes follow.
 * The address may carry a user name and a password: only its `host` may be shown.
 * @throws GW_CONFIG when it is not an address
 */
export function proxyFor(host: string, port: number, environment: Environment): URL | undefined {
    if (!mayUseProxy(host.toLowerCase(), port, read(environment, "no_proxy"))) return undefined;
    const proxy = read(environment, "wss_proxy") || read(environment, "https_proxy") || read(environment, "all_proxy");
    if (proxy === "") return undefined;
    const address = proxy.includes("://") ? proxy : `http://${proxy}`;
    if (URL.canParse(address)) return new URL(address);
    throw new GatewayError("GW_CONFIG", say("connection.proxyAddress"));
}

/** An agent that tunnels through the proxy. */
export function proxyAgent(proxy: URL): Agent {
    return new HttpsProxyAgent(proxy);
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
    const [, named = exception, portText] = /^(.+):(\d+)$/.exec(exception) ?? [];
    if (portText !== undefined && Number(portText) !== port) return false;
    if (named.startsWith("*")) return host.endsWith(named.slice(1));
    return named.startsWith(".") ? host.endsWith(named) : host === named;
}
