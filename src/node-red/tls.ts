import type { Node, NodeAPI } from "node-red";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { findNode } from "./api";

/**
 * The TLS options of the `tls-config` node with this id; none when no node is named, which means: the authorities that
 * Node.js trusts, and verification.
 * @throws GW_CONFIG when the node is missing or could not load its files: connecting without them would be less safe than the user asked for
 */
export function readTlsOptions(RED: NodeAPI, id: unknown): TlsOptions {
    if (id === undefined || id === "") return {};
    const node = findNode<TlsConfigNode>(RED, id, "tls-config");
    if (!node) throw new GatewayError("GW_CONFIG", translate("flow.tlsMissing"));
    if (!node.valid) {
        throw new GatewayError("GW_CONFIG", translate("flow.tlsFiles"));
    }
    const options: Record<string, unknown> = {};
    node.addTLSOptions(options);
    return options;
}

/** The options of Node's `tls.connect`, as far as a `tls-config` node sets them. */
export type TlsOptions = Readonly<Record<string, unknown>>;

/** Node-RED's own `tls-config` node, by its documented interface; its fields differ between versions. */
interface TlsConfigNode extends Node {
    readonly valid: boolean;
    addTLSOptions(options: Record<string, unknown>): unknown;
}
