import type { Node, NodeAPI } from "node-red";
import { GatewayError, toGatewayError } from "../errors";
import type { Gateway, Subscription } from "../gateway/gateway";
import type { LateMessage, UndeliveredMessage } from "../gateway/gateway-listeners";
import type { GatewayState } from "../gateway/gateway-state";
import { translate } from "../i18n";
import type { GatewayTopics } from "../protocol/gateway-topics";
import { type IdParser, platformIds } from "../protocol/id-parser";
import { findNode, onClose, type StoredDefinition } from "./api";
import type { GatewayConfigNode, GatewayMember } from "./gateway-config";
import { gatewayStatus } from "./gateway-status";
import { NodeOutput } from "./node-output";
import { StatusReporter, type StatusText } from "./status-reporter";

/**
 * The needs of every node that uses a gateway: the gateway, a status that follows it, and an orderly end. A class rather than a dozen
 * closures for each node: a flow may have ten thousand of them (measured: 0.7 KB less for each).
 */
export class GatewayNode implements GatewayMember {
    readonly status: StatusReporter;
    readonly output: NodeOutput;
    readonly node: Node;
    readonly #config: GatewayConfigNode | undefined;
    readonly #describe: (state: GatewayState | GatewayError) => StatusText;
    #gateway: Gateway | GatewayError;
    readonly #subscriptions: Subscription[] = [];
    /** What cannot be done without a gateway, in order. */
    readonly #waiting: (() => void)[] = [];
    /** A problem of this node itself, which outlasts the changes of the connection. */
    #ownProblem: GatewayError | undefined;
    #lastState: GatewayState | GatewayError | undefined;

    constructor(
        RED: NodeAPI,
        node: Node,
        config: GatewayConfigNode | undefined,
        describe: (state: GatewayState | GatewayError) => StatusText,
    ) {
        this.node = node;
        this.status = new StatusReporter(RED, node);
        this.output = new NodeOutput(RED, node);
        this.#config = config;
        this.#describe = describe;
        this.#gateway = new GatewayError("GW_CONFIG", translate("flow.noGateway"));
        if (config) {
            this.#gateway = config.controller.join(this);
            this.stateChanged(this.#gateway instanceof GatewayError ? this.#gateway : this.#gateway.state);
        } else this.status.show({ fill: "red", shape: "ring", key: "noGateway" });
    }

    close(): void {
        for (const subscription of this.#subscriptions) subscription.close();
        this.#config?.controller.leave(this);
        this.output.close();
        this.status.clear();
    }

    stateChanged(state: GatewayState | GatewayError): void {
        this.#lastState = state;
        this.showState();
    }

    gatewayReady(gateway: Gateway): void {
        this.#gateway = gateway;
        for (const tryAgain of this.#waiting.splice(0)) tryAgain();
    }

    failedLater(error: GatewayError, message: LateMessage): void {
        this.status.failed(error, `${message.typeId}/${message.deviceId}`);
        this.output.raise(error, { ...message });
    }

    undelivered(error: GatewayError, { message, returns }: UndeliveredMessage): boolean {
        this.status.failed(error, `${message.typeId}/${message.deviceId}`);
        return this.output.handOver(error, { ...message }, returns);
    }

    /**
     * The gateway of the node.
     * @throws GW_CONFIG when none is chosen, it is disabled, or its settings are not valid
     */
    get gateway(): Gateway {
        if (this.#gateway instanceof GatewayError) throw this.#gateway;
        return this.#gateway;
    }

    /**
     * Reads the node's settings by the rules of its gateway, once these are known. A setting that is not valid is shown and reported at
     * once; asking for the settings throws the same error, so that every message fails with it.
     */
    parse<T>(read: (rules: GatewayRules) => T): () => T {
        let settings: { readonly value: T } | GatewayError;
        const readNow = () => {
            const rules = this.#config ? this.#gateway : platformRules;
            if (rules instanceof GatewayError) {
                settings = rules;
                this.#waiting.push(readNow);
                return;
            }
            try {
                settings = { value: read(rules) };
            } catch (thrown) {
                settings = toGatewayError(thrown, "GW_CONFIG");
                this.#ownProblem = settings;
                this.status.show(this.#describe(settings));
                this.node.error(settings);
            }
        };
        readNow();
        return () => {
            if (settings instanceof GatewayError) throw settings;
            return settings.value;
        };
    }

    /**
     * Opens a subscription for as long as the node runs. Nothing happens while the gateway or the settings are not valid; asking for the
     * subscription then throws the reason.
     */
    subscribe<S extends Subscription>(open: (gateway: Gateway) => S): () => S {
        let opened: S | GatewayError;
        const openNow = () => {
            try {
                if (this.#ownProblem) throw this.#ownProblem;
                opened = open(this.gateway);
                this.#subscriptions.push(opened);
            } catch (thrown) {
                opened = toGatewayError(thrown, "GW_CONFIG");
                this.#waiting.push(openNow);
                // The configuration node reports its problem; here it is only shown.
                if (this.#config && !this.#ownProblem) this.status.show(this.#describe(opened));
            }
        };
        openNow();
        return () => {
            if (opened instanceof GatewayError) throw opened;
            return opened;
        };
    }

    /** The platform rejected the node's subscription, or (undefined) grants it now. */
    subscriptionChanged(rejection: GatewayError | undefined): void {
        this.problemChanged(rejection, "subscription");
    }

    /** Shows and raises a problem of the node itself, or (undefined) shows that it is over; `topic` is that of the raised message. */
    problemChanged(problem: GatewayError | undefined, topic: string): void {
        this.#ownProblem = problem;
        if (!problem) {
            this.showState();
            return;
        }
        this.status.show(this.#describe(problem));
        this.output.raise(problem, { topic });
    }

    /** Shows the state again, because a part of its status text has changed. */
    showState(): void {
        if (this.#lastState && !this.#ownProblem) this.status.show(this.#describe(this.#lastState));
    }
}

/** What a gateway demands of the settings of its nodes. */
export interface GatewayRules {
    readonly ids: IdParser;
    readonly topics: Pick<GatewayTopics, "areOwn">;
}

/** The rules for a node that has no gateway: its other problems are shown all the same. */
const platformRules: GatewayRules = { ids: platformIds, topics: { areOwn: false } };

/**
 * Rejects a node that needs the platform at the other end.
 * @throws GW_CONFIG where the user chose the topics
 */
export function assertPlatformTopics({ topics }: GatewayRules): void {
    if (topics.areOwn) throw new GatewayError("GW_CONFIG", translate("flow.ownTopics"));
}

/** Connects a node to the gateway that its `gateway` property names, until the node closes; `describe` gives its status. */
export function joinGateway(
    RED: NodeAPI,
    node: Node,
    definition: StoredDefinition,
    describe: (state: GatewayState | GatewayError) => StatusText = gatewayStatus,
): GatewayNode {
    const member = new GatewayNode(RED, node, findNode<GatewayConfigNode>(RED, definition.gateway, "gateway-config"), describe);
    onClose(node, () => member.close());
    return member;
}
