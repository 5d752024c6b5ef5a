import type { Node, NodeAPI, NodeDef, NodeMessage } from "node-red";
import type { GatewayConfigNode } from "../../src/node-red/gateway-config";
import { deviceName, deviceType, eventTopicOf, payloadOf } from "../support/devices";
import { Feeder, machineMs, type Spent } from "../support/feeder";
import { watchGateway } from "../support/gateway-watch";
import { serveProcess } from "../support/process-memory";
import type { EventLoad } from "../support/requests";
import { serve } from "../support/serve";

interface SourceDefinition extends NodeDef {
    /** The node whose completions are seen outside the flow; absent when they come through it. */
    readonly watched?: string;
    /** `address` = ids and an object, as from a field bus; `topic` = topic and text ready for the wire. */
    readonly shape: "address" | "topic";
}

/**
 * The source of a measured flow: sends messages on request. Each comes back to its input when the target has completed it, through a Complete
 * node, or a Catch node where it failed. A source that watches a node sees its completions outside the flow instead.
 */
export default function register(RED: NodeAPI): void {
    let feeder: Feeder | undefined;
    let isTimed = false;

    serveProcess();
    watchGateway(() => {
        const gateway = (RED.nodes.getNode("gateway-node") as GatewayConfigNode | null)?.controller.running;
        if (!gateway) throw new Error("The flow has no gateway.");
        return gateway;
    });

    function Source(this: Node, definition: SourceDefinition): void {
        RED.nodes.createNode(this, definition);
        this.on("input", (message: NodeMessage & { readonly error?: { readonly message: string } }, _send, done) => {
            const index = isTimed ? Number(message._msgid) : undefined;
            feeder?.completed(message.error && new Error(message.error.message), index);
            done();
        });
        RED.hooks.remove("onComplete.bench");
        if (definition.watched !== undefined) {
            RED.hooks.add("onComplete.bench", ({ node, error }) => {
                if (node.id === definition.watched) feeder?.completed(error);
            });
        }
        const startedAtMs = machineMs();
        serve("started", async () => ({ startedAtMs }));
        serve("publish", (load) => run(this, load, definition.shape === "topic" ? readyMessages(load) : addressedMessages(load)));
    }

    function run(node: Node, load: EventLoad, message: (index: number) => NodeMessage): Promise<Spent> {
        isTimed = load.isTimed === true;
        const named = (index: number) => ({ ...message(index), _msgid: String(index) });
        const started = Feeder.start(load, (index) => node.send(isTimed ? named(index) : message(index)));
        feeder = started.feeder;
        return started.spent;
    }

    RED.nodes.registerType("bench-source", Source);
}

function addressedMessages({ devices, firstDevice = 0, payloadBytes, priority }: EventLoad): (index: number) => NodeMessage {
    const names = Array.from({ length: devices }, (_, device) => deviceName(firstDevice + device));
    const address = (index: number) => ({ typeId: deviceType, deviceId: names[index % devices], payload: payloadOf(index, payloadBytes) });
    return priority === undefined ? address : (index) => ({ ...address(index), priority });
}

function readyMessages({ devices, payloadBytes }: EventLoad): (index: number) => NodeMessage {
    const topics = Array.from({ length: devices }, (_, device) => eventTopicOf(device));
    const payload = JSON.stringify(payloadOf(0, payloadBytes));
    return (index) => ({ topic: topics[index % devices] ?? "", payload });
}
