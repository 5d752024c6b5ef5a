import { systemClock } from "../src/clock";
import { defineType, type Node, type NodeAPI, type NodeMessage } from "../src/node-red/api";
import { type EventIds, eventRequest, linkActionOf, parseEventSettings } from "../src/node-red/device-event-out";
import { joinGateway } from "../src/node-red/gateway-node";
import { type MessageCompletion, onInput } from "../src/node-red/message-completion";
import { SerialQueue } from "../src/node-red/serial-queue";

/** `device-event-out`: publishes each message as an event of a device behind the gateway, or of the gateway itself; a message may also control the link. */
export default function register(RED: NodeAPI): void {
    defineType<Node>(RED, "device-event-out", (node, definition) => {
        const member = joinGateway(RED, node, definition);
        const settings = member.parse(({ ids }) => parseEventSettings(RED, node, definition, ids));
        const inOrder = new SerialQueue();

        onInput(node, { output: member.output, status: member.status, code: "GW_INVALID_PAYLOAD" }, (message, completion) => {
            const action = linkActionOf(message);
            if (action !== undefined) return member.gateway.controlLink(action, completion);
            const { ids, timestampField } = settings();
            // Only a time in the payload asks for it.
            const enteredAtMs = timestampField === "" ? 0 : systemClock.now();
            if (ids.immediate) return publish(ids.read(message), message, enteredAtMs, completion);
            return inOrder.run(async () => publish(await ids.read(message), message, enteredAtMs, completion));
        });

        function publish(ids: EventIds, message: NodeMessage, enteredAtMs: number, completion: MessageCompletion): void {
            const { gateway } = member;
            gateway.publishEvent(eventRequest(settings(), gateway, ids, message, enteredAtMs), completion);
        }
    });
}
