import type { Node, NodeAPI } from "node-red";
import { GatewayError, toGatewayError } from "../errors";
import type { Gateway, Subscription } from "../gateway/gateway";
import type { GatewayState } from "../gateway/gateway-state";
import { findNode, type StoredDefinition } from "./api";
import type { GatewayConfigNode, GatewayMember } from "./gateway-config-node";
import { gatewayStatus } from "./gateway-status";
import { onClose } from "./handlers";
import { Outlet } from "./outlet";
import { StatusReporter, type StatusText } from "./status";

/** What every node that uses a gateway needs: the gateway, a status that follows it, and an orderly end. */
export interface GatewayUser {
    readonly status: StatusReporter;
    readonly outlet: Outlet;
    /**
     * The gateway of the node.
     * @throws GW_CONFIG when none is chosen, it is disabled, or its settings are not valid
     */
    gateway(): Gateway;
    /**
     * Reads the node's settings once. A setting that is not valid is shown and reported at once; asking for the settings
     * throws the same error, so that every message fails with it.
     */
    parse<T>(read: () => T): () => T;
    /**
     * Opens a subscription for as long as the node runs; nothing happens when the gateway or the settings are not valid, but
     * asking for the subscription then throws what is wrong.
     */
    subscribe<S extends Subscription>(open: (gateway: Gateway) => S): () => S;
    /** Shows and raises that the platform refused the node's subscription, or shows that it grants it now. */
    subscriptionChanged(refusal: GatewayError | undefined): void;
    /** The same for anything that is wrong with the node itself; `topic` is that of the raised message. */
    problemChanged(problem: GatewayError | undefined, topic: string): void;
    /** Shows the state again, because something that its words depend on has changed. */
    showState(): void;
}

/** Connects a node to the gateway its `gateway` property names, until the node closes; `describe` words its status. */
export function useGateway(
    RED: NodeAPI,
    node: Node,
    definition: StoredDefinition,
    describe: (state: GatewayState | GatewayError) => StatusText = gatewayStatus,
): GatewayUser {
    const outlet = new Outlet(RED, node);
    const status = new StatusReporter(RED, node);
    const config = findNode<GatewayConfigNode>(RED, definition.gateway, "gateway-config");
    const subscriptions: Subscription[] = [];
    /** Opens what could not be opened while there was no gateway. */
    const unopened: (() => void)[] = [];
    // What is wrong with this node itself outlasts what the connection does.
    let ownProblem: GatewayError | undefined;
    let lastState: GatewayState | GatewayError | undefined;

    const member: GatewayMember = {
        node,
        stateChanged(state) {
            lastState = state;
            if (!ownProblem) status.show(describe(state));
        },
        gatewayReady() {
            for (const openNow of unopened.splice(0)) openNow();
        },
        failedLater(error, message) {
            status.failed(error, `${message.typeId}/${message.deviceId}`);
            outlet.raise(error, { ...message });
        },
    };

    function hasProblem(error: GatewayError): void {
        ownProblem = error;
        status.show(describe(error));
    }

    function showState(): void {
        if (lastState && !ownProblem) status.show(describe(lastState));
    }

    function problemChanged(problem: GatewayError | undefined, topic: string): void {
        ownProblem = problem;
        if (!problem) {
            showState();
            return;
        }
        status.show(describe(problem));
        outlet.raise(problem, { topic });
    }

    function gateway(): Gateway {
        if (config) return config.gateway();
        throw new GatewayError(
            "GW_CONFIG",
            "No gateway is chosen, or the chosen one is disabled. Choose one in this node's settings and deploy.",
        );
    }

    if (config) config.join(member);
    else status.show({ fill: "red", shape: "ring", key: "noGateway" });

    onClose(node, () => {
        for (const subscription of subscriptions) subscription.close();
        config?.leave(member);
        outlet.close();
        status.clear();
    });

    return {
        status,
        outlet,
        gateway,
        parse(read) {
            try {
                const settings = read();
                return () => settings;
            } catch (thrown) {
                const error = toGatewayError(thrown, "GW_CONFIG");
                hasProblem(error);
                node.error(error);
                return () => {
                    throw error;
                };
            }
        },
        subscribe(open) {
            let opened: ReturnType<typeof open> | GatewayError;
            const openNow = () => {
                try {
                    if (ownProblem) throw ownProblem;
                    opened = open(gateway());
                    subscriptions.push(opened);
                } catch (thrown) {
                    opened = toGatewayError(thrown, "GW_CONFIG");
                    unopened.push(openNow);
                    // The config node reports what is wrong with the gateway; here it is only shown.
                    if (config && !ownProblem) status.show(describe(opened));
                }
            };
            openNow();
            return () => {
                if (opened instanceof GatewayError) throw opened;
                return opened;
            };
        },
        subscriptionChanged: (refusal) => problemChanged(refusal, "subscription"),
        problemChanged,
        showState,
    };
}
