import { defineType, type Node, type NodeAPI } from "../src/node-red/api";
import { assertPlatformTopics, joinGateway } from "../src/node-red/gateway-node";
import { notificationMessage, parseNotificationSettings } from "../src/node-red/gateway-notify-in";

/** `gateway-notify-in`: sends on what the platform says it refused, with the event it refused. */
export default function register(RED: NodeAPI): void {
    defineType<Node>(RED, "gateway-notify-in", (node, definition) => {
        const member = joinGateway(RED, node, definition);
        const settings = member.parse((rules) => {
            assertPlatformTopics(rules);
            return parseNotificationSettings(definition);
        });
        member.subscribe((gateway) =>
            gateway.onNotification({
                received(notification) {
                    const message = notificationMessage(notification, settings());
                    if (message) member.output.send(message);
                },
                rejectionChanged: (error) => member.subscriptionChanged(error),
            }),
        );
    });
}
