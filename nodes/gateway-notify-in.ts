import { defineType, type Node, type NodeAPI } from "../src/node-red/api";
import { assertPlatformTopics, joinGateway } from "../src/node-red/gateway-node";
import {
    deviceHealthMessage,
    gatewayHealthMessage,
    notificationMessage,
    parseNotificationSettings,
} from "../src/node-red/gateway-notify-in";

/** `gateway-notify-in`: sends on what the platform refused, or the health of the gateway or of its devices. */
export default function register(RED: NodeAPI): void {
    defineType<Node>(RED, "gateway-notify-in", (node, definition) => {
        const member = joinGateway(RED, node, definition);
        const settings = member.parse((rules) => {
            const parsed = parseNotificationSettings(definition, rules.ids);
            if (parsed.about === "refusals") assertPlatformTopics(rules);
            return parsed;
        });
        member.subscribe((gateway) => {
            const wanted = settings();
            switch (wanted.about) {
                case "refusals":
                    return gateway.onNotification({
                        received(notification) {
                            const message = notificationMessage(notification, wanted.request);
                            if (message) member.output.send(message);
                        },
                        rejectionChanged: (error) => member.subscriptionChanged(error),
                    });
                case "gateway":
                    return gateway.health.watch(wanted.intervalMs, (report) => member.output.send(gatewayHealthMessage(report)));
                case "devices":
                    return gateway.silentDevices.watch(wanted, (change) => member.output.send(deviceHealthMessage(change)));
            }
        });
    });
}
