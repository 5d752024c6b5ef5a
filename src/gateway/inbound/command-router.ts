import type { Clock } from "../../clock";
import type { GatewayConnection } from "../../connection/gateway-connection";
import { maxPacketBytes, type ReceivedMessage } from "../../connection/link";
import { type GatewayError, toGatewayError } from "../../errors";
import { shortened, translate } from "../../i18n";
import type { CompletionCallbacks } from "../../outbox/event";
import type { GatewayTopics } from "../../protocol/gateway-topics";
import type { IdParser } from "../../protocol/id-parser";
import type { CommandTopic } from "../../protocol/topic";
import { topicLevels } from "../../routing/topic-filter";
import { TopicTrie } from "../../routing/topic-trie";
import type { EventPublisher } from "../events/event-publisher";
import { subscriptionRejectedError } from "../subscriptions/subscription-errors";
import type { SubscriptionManager } from "../subscriptions/subscription-manager";
import {
    type CommandOutcome,
    type CommandReference,
    type CommandSelection,
    type CommandSubscriber,
    type CommandsState,
    type CommandTaker,
    deviceOf,
    type ReceivedCommand,
} from "./command";
import { answerEvent, type FlowAnswer } from "./command-answer";
import { CommandsInWork } from "./commands-in-work";
import { FlowQueue } from "./flow-queue";

/** How much of a topic a log line shows. */
const maxTopicShown = 200;

/** Brings commands to the nodes that want them, and takes them back from their flows. */
export class CommandRouter {
    readonly #deps: CommandRouterDeps;
    readonly #takers = new TopicTrie<CommandTaker>();
    readonly #inWork: CommandsInWork;
    readonly #queue: FlowQueue;
    /** Begins the id of each command: that of an earlier run must not be taken for it. */
    readonly #runId: string;
    #received = 0;

    constructor(deps: CommandRouterDeps) {
        const { clock, listener } = deps;
        this.#runId = Math.floor(deps.random() * 2 ** 52).toString(36);
        this.#deps = deps;
        this.#inWork = new CommandsInWork({
            clock,
            takersOf: (command) => this.#takersOf(command),
            listener: {
                started: (command) => listener.started(command),
                ended: (command, outcome, tookMs) => this.#ended(command, outcome, tookMs),
                abandoned: (command) =>
                    listener.warn(translate("command.abandoned", { commandId: command.commandId, device: deviceOf(command) })),
                placeFree: () => this.#queue.drain(),
            },
        });
        this.#queue = new FlowQueue({
            monotonicMs: () => clock.monotonicMs(),
            handOver: (command, receivedMs, accepted) => this.#inWork.handOver(command, receivedMs, accepted),
            holdReading: (isHeld) => {
                deps.connection.holdReading(isHeld);
                listener.countsChanged();
            },
        });
    }

    /** How many commands there are, and where. */
    get state(): CommandsState {
        return { inWork: this.#inWork.size, waiting: this.#queue.size, isReadingHeld: this.#queue.isReadingHeld };
    }

    /** Hands commands to a node until the subscription is closed. */
    subscribe(subscriber: CommandSubscriber): CommandSubscription {
        const { subscriptions } = this.#deps;
        const { nodeId, qos } = subscriber;
        const filter = this.#filterOf(subscriber.selection);
        const filterSubscriber = {
            rejectionChanged: (error: GatewayError | undefined) =>
                subscriber.rejectionChanged(error && subscriptionRejectedError(filter, error)),
        };
        this.#takers.add(filter, subscriber);
        subscriptions.add(filter, qos, filterSubscriber);
        const countInWork = () => this.#inWork.sizeOf(nodeId);
        return {
            get inWork() {
                return countInWork();
            },
            answered: (reference, answer, completion) => this.#answered(nodeId, reference, answer, completion),
            close: () => {
                this.#takers.remove(filter, subscriber);
                this.#inWork.stopped(subscriber);
                subscriptions.remove(filter, filterSubscriber);
            },
        };
    }

    /** A message arrived that is not on a topic of anything else. `accepted` is called once its acknowledgement may leave. */
    received(message: ReceivedMessage, isReplayed: boolean, accepted: () => void): void {
        const { topic, payload, qos, duplicate, retain, oversizedBytes } = message;
        const levels = topicLevels(topic);
        const parts = this.#deps.topics.parseCommand(levels);
        if (!parts) {
            if (oversizedBytes !== undefined) this.reportOversized(topic, oversizedBytes);
            accepted();
            return;
        }
        this.#received += 1;
        const id = `${this.#runId}-${this.#received.toString(36)}`;
        const receivedAt = this.#deps.clock.now();
        this.#deps.listener.received(parts);
        const command = { ...parts, id, topic, levels, payload, qos, duplicate, retain, isReplayed, receivedAt, oversizedBytes };
        this.#queue.pass(command, accepted);
    }

    /** Runs an action now, or in its turn with the commands once the flows run. */
    whenFlowsRun(bytes: number, action: () => void): void {
        this.#queue.run(bytes, action);
    }

    /** Reports a message that was larger than the gateway takes, and that nobody gets. */
    reportOversized(topic: string, bytes: number): void {
        this.#deps.listener.warn(
            translate("gateway.oversizedMessage", { topic: shortened(topic, maxTopicShown), bytes, limit: maxPacketBytes }),
        );
    }

    /** The flows stop: from now on commands wait. */
    pause(): void {
        this.#queue.pause();
        this.#inWork.pause();
    }

    /** The flows run: hands over what stopped nodes had in work, then what waits, then everything that follows at once. */
    resume(): void {
        this.#inWork.resume();
        this.#queue.resume();
    }

    /** Hands nothing over any more. What was not acknowledged comes again where the server keeps the session. */
    close(): void {
        this.#queue.pause();
        this.#queue.clear();
        this.#inWork.close();
    }

    #answered(nodeId: string, reference: CommandReference, flowAnswer: FlowAnswer | undefined, completion: CompletionCallbacks): void {
        const answer = this.#inWork.answer(nodeId, reference);
        const finished = () => {
            answer.finished();
            completion.done();
        };
        const failed = (error: GatewayError) => {
            answer.failed();
            completion.failed(error);
        };
        if (!flowAnswer) {
            finished();
            return;
        }
        try {
            this.#deps.publisher.publish(answerEvent(answer.command, nodeId, flowAnswer, this.#deps.ids), { done: finished, failed });
        } catch (thrown) {
            failed(toGatewayError(thrown, "GW_INVALID_PAYLOAD"));
        }
    }

    #ended(command: ReceivedCommand, outcome: CommandOutcome, tookMs: number | undefined): void {
        const { topic, oversizedBytes } = command;
        if (outcome === "unclaimed" && oversizedBytes !== undefined) this.reportOversized(topic, oversizedBytes);
        this.#deps.listener.ended(command, outcome, tookMs);
    }

    /** Each node gets a command once, whatever the number of its filters. */
    #takersOf(command: ReceivedCommand): readonly CommandTaker[] {
        const takers = this.#takers.matchLevels(command.levels);
        const { typeId, deviceId } = this.#deps.topics.gatewayParts;
        if (command.deviceId !== deviceId || command.typeId !== typeId) return takers;
        // A selection of devices with a wildcard does not include the gateway itself.
        return takers.filter(
            ({ selection: { target, parts } }) => target === "gateway" || (parts.deviceId !== undefined && parts.typeId === typeId),
        );
    }

    #filterOf({ target, parts }: CommandSelection): string {
        const { topics } = this.#deps;
        return topics.commandFilter(target === "gateway" ? { ...parts, ...topics.gatewayParts } : parts);
    }
}

/** The subscription of a node to commands. */
export interface CommandSubscription {
    /** How many commands the node has handed to its flow that have not come back. */
    readonly inWork: number;
    /**
     * The flow sent a command back to the node. The completion is called once the node is done with it, or with what kept its answer from
     * being taken on: then the flow may send it back again.
     * @param answer published for the device of the command; undefined = nothing is published
     * @throws GW_COMMAND_TIMEOUT when its time was over, GW_BAD_COMMAND when this node has no such command in work
     */
    answered(reference: CommandReference, answer: FlowAnswer | undefined, completion: CompletionCallbacks): void;
    /** Ends it. The commands that the flow has not sent back are kept for a node that comes in its place. */
    close(): void;
}

/** What the routing of commands works with. */
export interface CommandRouterDeps {
    readonly clock: Clock;
    /** A number from 0 to below 1. */
    random(): number;
    readonly topics: GatewayTopics;
    readonly ids: IdParser;
    readonly connection: Pick<GatewayConnection, "holdReading">;
    readonly subscriptions: Pick<SubscriptionManager, "add" | "remove">;
    readonly publisher: Pick<EventPublisher, "publish">;
    readonly listener: CommandRouterListener;
}

/** Notified of commands. */
export interface CommandRouterListener {
    /** A command came, before the nodes get it. */
    received(command: CommandTopic): void;
    /** A command was handed to a flow that has to send it back. */
    started(command: ReceivedCommand): void;
    /** A command ended, `tookMs` after it was received; absent where nothing had to be sent back. */
    ended(command: ReceivedCommand, outcome: CommandOutcome, tookMs: number | undefined): void;
    /** The state changed otherwise. */
    countsChanged(): void;
    /** Something worth a warning in the log. */
    warn(text: string): void;
}
