import type { Node } from "node-red";
import { GatewayError, toGatewayError } from "../errors";
import { EmbeddedSimulator } from "../gateway/embedded-simulator";
import type { Gateway, GatewayListener } from "../gateway/gateway";
import type { LateMessage, UndeliveredMessage } from "../gateway/gateway-listeners";
import { type GatewayOptions, parseGatewayOptions } from "../gateway/gateway-options";
import type { GatewayLease } from "../gateway/gateway-pool";
import type { GatewayState } from "../gateway/gateway-state";
import { translate } from "../i18n";
import { mqttClientId } from "../protocol/identity";
import { isInFlow, type StoredDefinition } from "./api";
import { type LeaseOrigin, leaseGateway, readToken, storageDirectory } from "./gateway-lease";
import { gatewayStatus } from "./gateway-status";
import { NodeOutput } from "./node-output";
import { StatusReporter } from "./status-reporter";

/** Leases the gateway of a `gateway-config` node while nodes use it, and brings the gateway's states and errors to those nodes. */
export class GatewayConfigController {
    /** See `GatewayConfigNode.users`. */
    readonly users: Record<string, Node> = {};
    readonly #origin: LeaseOrigin;
    readonly #members = new Map<string, GatewayMember>();
    readonly #status: StatusReporter;
    readonly #output: NodeOutput;
    readonly #options: GatewayOptions | GatewayError;
    #lease: GatewayLease<Gateway> | undefined;
    #detach: () => void = () => undefined;
    /** The reason why the gateway cannot be leased. */
    #problem: GatewayError | undefined;
    #toRaise: GatewayError | undefined;
    #closing: Promise<void> = Promise.resolve();
    /** Whether a gateway was leased and has been released. */
    #isReleased = false;
    readonly #simulator: EmbeddedSimulator | undefined;

    constructor(origin: LeaseOrigin) {
        const { RED, node, definition } = origin;
        this.#origin = origin;
        this.#status = new StatusReporter(RED, node);
        this.#output = new NodeOutput(RED, node);
        this.#options = readOptions(definition);
        if (this.#options instanceof GatewayError) this.#hasProblem(this.#options);
        else if (this.#options.platform === "simulator") this.#simulator = startSimulatorOn(this.#options.port);
    }

    /**
     * The stored token; see `readToken`.
     * @throws GW_CONFIG
     */
    get token(): string {
        return readToken(this.#origin.RED, this.#origin.node, this.#options);
    }

    /** The id of the node. */
    get id(): string {
        return this.#origin.node.id;
    }

    /** The name that the user gave the node, or an empty string. */
    get name(): string {
        return this.#origin.node.name ?? "";
    }

    /** The reason why the gateway does not run, if there is one. */
    get problem(): GatewayError | undefined {
        return this.#problem;
    }

    /** The settings without the token, or the reason why they are not valid. */
    get settings(): GatewayOptions | GatewayError {
        return this.#options;
    }

    /** The identity of the gateway as the client id of the platform; undefined while the settings are not valid. */
    get identity(): string | undefined {
        return this.#options instanceof GatewayError ? undefined : mqttClientId(this.#options.identity);
    }

    /** The gateway, while it runs. */
    get running(): Gateway | undefined {
        return this.#lease?.gateway;
    }

    /** Whether these settings mean the same server and the same client as the deployed ones. */
    isSameServer(options: GatewayOptions): boolean {
        const deployed = this.#options;
        if (deployed instanceof GatewayError) return false;
        return (
            deployed.clientId === options.clientId &&
            deployed.host === options.host &&
            deployed.port === options.port &&
            deployed.transport === options.transport
        );
    }

    /** Adds a node, the first of which leases the gateway. Returns the gateway, or the reason why it cannot be used. */
    join(member: GatewayMember): Gateway | GatewayError {
        if (isInFlow(member.node)) this.users[member.node.id] = member.node;
        this.#members.set(member.node.id, member);
        if (!this.#lease && !this.#problem) this.#open();
        return this.#lease?.gateway ?? this.#problem ?? new GatewayError("GW_CONFIG", translate("flow.notInUse"));
    }

    /** Removes a node; the last one releases the lease. */
    leave(member: GatewayMember): void {
        delete this.users[member.node.id];
        this.#members.delete(member.node.id);
        if (this.#members.size === 0) this.#releaseLease();
    }

    /** The flows run: the obstacle may be gone, and an error from their start can now reach their Catch nodes. */
    flowsStarted(): void {
        this.#tryAgain();
        const error = this.#toRaise;
        this.#toRaise = undefined;
        if (error) this.#output.raiseAndLog(error, { topic: "gateway", state: "config" });
    }

    /** Ends with the node. */
    async close(): Promise<void> {
        this.#releaseLease();
        this.#status.clear();
        this.#noteFile();
        try {
            await this.#closing;
            await this.#simulator?.close();
        } finally {
            this.#output.close();
        }
    }

    #open(): void {
        if (this.#options instanceof GatewayError) return;
        try {
            this.#lease = leaseGateway(this.#origin, this.#options);
            this.#detach = this.#lease.gateway.listen(this.#listener());
        } catch (thrown) {
            this.#hasProblem(toGatewayError(thrown, "GW_CONFIG"));
        }
    }

    /** Node-RED does not restart this node when another one of the same identity, which it had to give way to, is removed. */
    #tryAgain(): void {
        const problem = this.#problem;
        if (!problem || this.#members.size === 0) return;
        const toRaise = this.#toRaise;
        this.#problem = undefined;
        this.#open();
        if (this.#lease) {
            const { gateway } = this.#lease;
            this.#toRaise = undefined;
            for (const member of this.#members.values()) member.gatewayReady(gateway);
            this.#stateChanged(gateway.state);
        } else {
            this.#problem ??= problem;
            if (this.#problem.message === problem.message) this.#toRaise = toRaise;
        }
    }

    #releaseLease(): void {
        const lease = this.#lease;
        const detach = this.#detach;
        this.#lease = undefined;
        // A gateway that closes may still have to report the events that it could neither deliver nor store.
        if (!lease) return;
        this.#closing = lease.release().finally(detach);
        this.#isReleased = true;
    }

    #listener(): GatewayListener {
        return {
            stateChanged: (state) => this.#stateChanged(state),
            problem: (error, state) => this.#output.raiseAndLog(error, { topic: "gateway", state }),
            log: (text) => this.#origin.node.log(text),
            warn: (text) => this.#origin.node.warn(text),
            failedLater: (nodeId, error, message) => {
                const member = this.#members.get(nodeId);
                if (member) member.failedLater(error, message);
                return member !== undefined;
            },
            failedOrphan: (error, message) => this.#output.raise(error, { ...message }),
            undelivered: (nodeId, error, event) => this.#members.get(nodeId)?.undelivered(error, event),
            undeliveredOrphan: (error, { message, returns }) => this.#output.handOver(error, { ...message }, returns),
        };
    }

    #stateChanged(state: GatewayState): void {
        this.#status.show(gatewayStatus(state));
        for (const member of this.#members.values()) member.stateChanged(state);
    }

    #hasProblem(error: GatewayError): void {
        this.#problem = error;
        // Catch nodes exist only when all flows have started; until then the error can only be shown.
        this.#toRaise = error;
        this.#status.show(gatewayStatus(error));
    }

    #noteFile(): void {
        const { RED, node, abandonedFiles } = this.#origin;
        if (this.#options instanceof GatewayError || !this.#isReleased) return;
        const directory = storageDirectory(RED);
        if (directory === undefined) return;
        abandonedFiles.add({
            identity: this.#options.identity,
            directory,
            closed: this.#closing,
            log: (text) => node.log(text),
        });
    }
}

/** What other nodes see of a `gateway-config` node. */
export interface GatewayConfigNode extends Node {
    /**
     * The nodes on tabs that use this gateway, by id. A plain object of nodes, because Node-RED itself walks through it to bring the
     * errors and statuses of this node to the Catch and Status nodes of those tabs.
     */
    users: Record<string, Node>;
    controller: Pick<GatewayConfigController, "join" | "leave" | "running">;
}

/** A node that uses a gateway. */
export interface GatewayMember {
    readonly node: Node;
    stateChanged(state: GatewayState): void;
    /** The gateway could not be used when the node joined, and now it can. */
    gatewayReady(gateway: Gateway): void;
    /** An event that this node sent earlier has failed. */
    failedLater(error: GatewayError, message: LateMessage): void;
    /** An event that this node sent was not delivered. Returns whether a Catch node got it. */
    undelivered(error: GatewayError, event: UndeliveredMessage): boolean;
}

/**
 * Starts the simulator before the flows have started and the gateway connects: Node-RED's own MQTT nodes, which play the application,
 * connect while the flows start, and would only try again 15 seconds later.
 */
function startSimulatorOn(port: number): EmbeddedSimulator {
    const simulator = new EmbeddedSimulator(port);
    // The gateway has the same problem and reports it.
    simulator.open().catch(() => undefined);
    return simulator;
}

function readOptions(definition: StoredDefinition): GatewayOptions | GatewayError {
    try {
        return parseGatewayOptions(definition);
    } catch (thrown) {
        return toGatewayError(thrown, "GW_CONFIG");
    }
}
