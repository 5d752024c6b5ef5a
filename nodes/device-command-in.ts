import { defineType, type Node, type NodeAPI } from "../src/node-red/api";
import { commandMessage, parseCommandSettings } from "../src/node-red/device-command-in";
import { joinGateway } from "../src/node-red/gateway-node";

/** `device-command-in`: sends on the commands for the gateway, or for devices behind it, that match its filter. */
export default function register(RED: NodeAPI): void {
    defineType<Node>(RED, "device-command-in", (node, definition) => {
        const member = joinGateway(RED, node, definition);
        const settings = member.parse(({ ids }) => parseCommandSettings(definition, ids));
        member.subscribe((gateway) =>
            gateway.onCommand(settings().selection, settings().qos, {
                received(command) {
                    const { message, error } = commandMessage(command, settings().datatype);
                    if (error) member.output.raise(error, message);
                    else member.output.send(message);
                },
                rejectionChanged: (error) => member.subscriptionChanged(error),
            }),
        );
    });
}
