import { defineType, type Node, type NodeAPI } from "../src/node-red/api";
import { useGateway } from "../src/node-red/gateway-node";
import { notificationMessage, parseNotificationSettings } from "../src/node-red/gateway-notify-in";

/** `gateway-notify-in`: sends on what the platform says it refused, with the event it refused. */
export default function register(RED: NodeAPI): void {
    defineType<Node>(RED, "gateway-notify-in", (node, definition) => {
        const user = useGateway(RED, node, definition);
        const settings = user.parse(() => parseNotificationSettings(definition));
        user.subscribe((gateway) =>
            gateway.onNotification({
                received(notification) {
                    const message = notificationMessage(notification, settings());
                    if (message) user.outlet.send(message);
                },
                rejectionChanged: (error) => user.subscriptionChanged(error),
            }),
        );
    });
}
