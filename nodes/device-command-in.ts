import { defineType, type Node, type NodeAPI } from "../src/node-red/api";
import { commandMessage, parseCommandSettings } from "../src/node-red/device-command-in";
import { useGateway } from "../src/node-red/gateway-node";

/** `device-command-in`: sends on the commands for the gateway, or for devices behind it, that match its filter. */
export default function register(RED: NodeAPI): void {
    defineType<Node>(RED, "device-command-in", (node, definition) => {
        const user = useGateway(RED, node, definition);
        const settings = user.parse(() => parseCommandSettings(definition));
        user.subscribe((gateway) =>
            gateway.onCommand(settings().selection, settings().qos, {
                received(command) {
                    const { message, error } = commandMessage(command, settings().datatype);
                    if (error) user.outlet.raise(error, message);
                    else user.outlet.send(message);
                },
                rejectionChanged: (error) => user.subscriptionChanged(error),
            }),
        );
    });
}
