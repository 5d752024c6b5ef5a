import { readFileSync, statSync } from "node:fs";
import type { Node, NodeAPI } from "node-red";
import { describeThrown } from "../errors";
import { translate } from "../i18n";
import type { TlsOptions } from "./tls";
import { withVariables } from "./variables";

/** Node's TLS options with the properties of a `tls-config` that name the files they come from. */
const files = { files: { cert: "cert", key: "key", ca: "ca" }, pfx: { pfx: "p12" } } as const;

/** Files that are larger are no certificates. */
const maxFileBytes = 1_000_000;

/**
 * The TLS options of a `tls-config` node, with those that come from files read again each time they are used: a certificate that was
 * renewed on the disk serves the next connection, without a deploy. A file that cannot be read keeps its last content, with a warning.
 * @param options as the node has read them
 */
export function withCurrentFiles(RED: NodeAPI, id: unknown, options: TlsOptions, warn: (text: string) => void): TlsOptions {
    const current = { ...options };
    for (const [option, path] of pathsOf(RED, id)) {
        const content = options[option];
        if (content === undefined) continue;
        const file = new TlsFile(path, content, warn);
        // Each attempt copies the options, and with them what the file holds at that moment.
        Object.defineProperty(current, option, { enumerable: true, get: () => file.read() });
    }
    return current;
}

/** The options of a `tls-config` that come from files, with their paths. */
function pathsOf(RED: NodeAPI, id: unknown): [option: string, path: string][] {
    const node: (Node & { readonly _alias?: unknown }) | null = typeof id === "string" ? RED.nodes.getNode(id) : null;
    if (!node) return [];
    let definition: Readonly<Record<string, unknown>> = {};
    RED.nodes.eachNode((each) => {
        if (each.id === node.id || each.id === node._alias) definition = { ...each };
    });
    const filled = withVariables(RED, node, definition);
    const properties: Readonly<Record<string, string>> =
        filled.certType === "pfx" ? files.pfx : filled.certType === "env" ? {} : files.files;
    return Object.entries(properties).flatMap(([option, property]) => {
        const path = filled[property];
        return typeof path === "string" && path.trim() !== "" ? [[option, path.trim()]] : [];
    });
}

/** A file that is read again and again, and remembers what it held when it could be read. */
class TlsFile {
    readonly #path: string;
    readonly #warn: (text: string) => void;
    #content: unknown;
    #isReadable = true;

    constructor(path: string, content: unknown, warn: (text: string) => void) {
        this.#path = path;
        this.#content = content;
        this.#warn = warn;
    }

    /** What the file holds, or held last. Warns once each time that it becomes unreadable. */
    read(): unknown {
        try {
            this.#content = readSmallFile(this.#path);
            this.#isReadable = true;
        } catch (thrown) {
            if (this.#isReadable) this.#warn(translate("flow.tlsFileKept", { file: this.#path, error: describeThrown(thrown) }));
            this.#isReadable = false;
        }
        return this.#content;
    }
}

/** @throws for a pipe or device too, which could keep everything waiting, and for an empty file, which is one that is being written */
function readSmallFile(path: string): Buffer {
    const found = statSync(path);
    if (!found.isFile() || found.size === 0 || found.size > maxFileBytes)
        throw new Error(translate("flow.tlsFileSize", { max: maxFileBytes }));
    return readFileSync(path);
}
