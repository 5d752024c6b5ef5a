import { deviceOf } from "../src/gateway/inbound/command";
import { defineType, type Node, type NodeAPI } from "../src/node-red/api";
import { commandMessage, commandStatus, overdueCommand, parseCommandSettings, returnedCommand } from "../src/node-red/device-command-in";
import { joinGateway } from "../src/node-red/gateway-node";
import { onInput } from "../src/node-red/message-completion";

/** `device-command-in`: sends on the commands for the gateway, or for devices behind it, that match its filter, and takes them back. */
export default function register(RED: NodeAPI): void {
    defineType<Node>(RED, "device-command-in", (node, definition) => {
        let countInWork = () => 0;
        const member = joinGateway(RED, node, definition, (state) => commandStatus(state, countInWork()));
        const settings = member.parse(({ ids }) => parseCommandSettings(definition, ids));

        const commands = member.subscribe((gateway) => {
            const subscription = gateway.onCommand({
                ...settings(),
                nodeId: node.id,
                received(command) {
                    const { message, error } = commandMessage(command, node.id, settings());
                    if (!error) {
                        member.output.send(message);
                        return "passed";
                    }
                    member.output.raise(error, message);
                    return error.code === "GW_STALE_COMMAND" ? "stale" : "bad";
                },
                timedOut(command) {
                    const error = overdueCommand(command, settings());
                    member.status.failed(error, deviceOf(command));
                    member.output.raise(error, commandMessage(command, node.id, settings()).message);
                },
                rejectionChanged: (error) => member.subscriptionChanged(error),
            });
            countInWork = () => subscription.inWork;
            return subscription;
        });

        onInput(node, { output: member.output, status: member.status, code: "GW_BAD_COMMAND" }, (message, completion) => {
            const { reference, answer } = returnedCommand(settings(), message);
            commands().answered(reference, answer, completion);
        });
    });
}
