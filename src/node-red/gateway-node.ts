import type { Node, NodeAPI } from "node-red";
import { GatewayError, toGatewayError } from "../errors";
import type { Gateway, Subscription } from "../gateway/gateway";
import type { LateMessage } from "../gateway/gateway-listeners";
import type { GatewayState } from "../gateway/gateway-state";
import { translate } from "../i18n";
import type { GatewayTopics } from "../protocol/gateway-topics";
import { type IdParser, platformIds } from "../protocol/id-parser";
import { findNode, type StoredDefinition } from "./api";
import type { GatewayConfigNode, GatewayMember } from "./gateway-config-node";
import { gatewayStatus } from "./gateway-status";
import { onClose } from "./handlers";
import { NodeOutput } from "./node-output";
import { StatusReporter, type StatusText } from "./status-reporter";

/**
 * What every node that uses a gateway needs: the gateway, a status that follows it, and an orderly end. A class rather than a dozen
 * closures for each node: a flow may have ten thousand of them (measured: 0.7 KB less for each).
 */
export class GatewayNode implements GatewayMember {
    readonly status: StatusReporter;
    readonly output: NodeOutput;
    readonly node: Node;
    readonly #config: GatewayConfigNode | undefined;
    readonly #describe: (state: GatewayState | GatewayError) => StatusText;
    readonly #subscriptions: Subscription[] = [];
    /** What has to wait for the gateway, in order. */
    readonly #waiting: (() => void)[] = [];
    /** What is wrong with this node itself outlasts what the connection does. */
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
    }

    join(): void {
        if (this.#config) this.#config.join(this);
        else this.status.show({ fill: "red", shape: "ring", key: "noGateway" });
    }

    close(): void {
        for (const subscription of this.#subscriptions) subscription.close();
        this.#config?.leave(this);
        this.output.close();
        this.status.clear();
    }

    stateChanged(state: GatewayState | GatewayError): void {
        this.#lastState = state;
        this.showState();
    }

    gatewayReady(): void {
        for (const tryAgain of this.#waiting.splice(0)) tryAgain();
    }

    failedLater(error: GatewayError, message: LateMessage): void {
        this.status.failed(error, `${message.typeId}/${message.deviceId}`);
        this.output.raise(error, { ...message });
    }

    /**
     * The gateway of the node.
     * @throws GW_CONFIG when none is chosen, it is disabled, or its settings are not valid
     */
    gateway(): Gateway {
        if (this.#config) return this.#config.gateway();
        throw new GatewayError("GW_CONFIG", translate("flow.noGateway"));
    }

    /**
     * Reads the node's settings by the rules of its gateway, once these are known. A setting that is not valid is shown and reported
     * at once; asking for the settings throws the same error, so that every message fails with it.
     */
    parse<T>(read: (rules: GatewayRules) => T): () => T {
        let settings: { readonly value: T } | GatewayError;
        const readNow = () => {
            const rules = this.#config ? this.#rules() : platformRules;
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

    /** The rules of the gateway, or what is wrong with it, which the config node reports. */
    #rules(): GatewayRules | GatewayError {
        try {
            return this.gateway();
        } catch (thrown) {
            return toGatewayError(thrown, "GW_CONFIG");
        }
    }

    /**
     * Opens a subscription for as long as the node runs; nothing happens when the gateway or the settings are not valid, but
     * asking for the subscription then throws what is wrong.
     */
    subscribe<S extends Subscription>(open: (gateway: Gateway) => S): () => S {
        let opened: S | GatewayError;
        const openNow = () => {
            try {
                if (this.#ownProblem) throw this.#ownProblem;
                opened = open(this.gateway());
                this.#subscriptions.push(opened);
            } catch (thrown) {
                opened = toGatewayError(thrown, "GW_CONFIG");
                this.#waiting.push(openNow);
                // The config node reports what is wrong with the gateway; here it is only shown.
                if (this.#config && !this.#ownProblem) this.status.show(this.#describe(opened));
            }
        };
        openNow();
        return () => {
            if (opened instanceof GatewayError) throw opened;
            return opened;
        };
    }

    /** Shows and raises that the platform refused the node's subscription, or shows that it grants it now. */
    subscriptionChanged(refusal: GatewayError | undefined): void {
        this.problemChanged(refusal, "subscription");
    }

    /** The same for anything that is wrong with the node itself; `topic` is that of the raised message. */
    problemChanged(problem: GatewayError | undefined, topic: string): void {
        this.#ownProblem = problem;
        if (!problem) {
            this.showState();
            return;
        }
        this.status.show(this.#describe(problem));
        this.output.raise(problem, { topic });
    }

    /** Shows the state again, because something that its words depend on has changed. */
    showState(): void {
        if (this.#lastState && !this.#ownProblem) this.status.show(this.#describe(this.#lastState));
    }
}

/** What a gateway demands of the settings of its nodes. */
export interface GatewayRules {
    readonly ids: IdParser;
    readonly topics: Pick<GatewayTopics, "areOwn">;
}

/** The rules for a node that has no gateway: what is wrong with it otherwise is shown all the same. */
const platformRules: GatewayRules = { ids: platformIds, topics: { areOwn: false } };

/**
 * Refuses a node that needs the platform at the other end.
 * @throws GW_CONFIG where the user chose the topics
 */
export function assertPlatformTopics({ topics }: GatewayRules): void {
    if (topics.areOwn) throw new GatewayError("GW_CONFIG", translate("flow.ownTopics"));
}

/** Connects a node to the gateway its `gateway` property names, until the node closes; `describe` words its status. */
export function joinGateway(
    RED: NodeAPI,
    node: Node,
    definition: StoredDefinition,
    describe: (state: GatewayState | GatewayError) => StatusText = gatewayStatus,
): GatewayNode {
    const member = new GatewayNode(RED, node, findNode<GatewayConfigNode>(RED, definition.gateway, "gateway-config"), describe);
    member.join();
    onClose(node, () => member.close());
    return member;
}
