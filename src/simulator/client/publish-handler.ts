import type { IPublishPacket } from "mqtt-packet";
import type { DeviceRefusal } from "../registration/front-end";
import { notInGroupMessage, registryMessage, topicRefusal } from "../registration/notification";
import { type DeviceName, deviceKey, deviceOf, isOwnDevice, toPlatform, withOrganisation } from "../topic-form";
import { checkPublish } from "../topic-rules";
import type { ConnectedClient } from "./types";

/**
 * Handles a PUBLISH: whether the client may publish on the topic, and for the device. A gateway that breaks a rule stays
 * connected: its message is acknowledged and dropped, and a notification gives the reason. Other clients are disconnected.
 */
export function receivePublish(client: ConnectedClient, packet: IPublishPacket): void {
    const { identity, platform } = client;
    client.expectAnswer(packet.payload.length);
    if (packet.qos === 2 && client.session.isUnreleased(packet.messageId ?? 0)) {
        client.acknowledge(packet);
        return;
    }
    const levels = packet.topic.split("/");
    const violation = checkPublish(identity.clientClass, packet.topic, levels);
    if (violation && identity.clientClass !== "g") {
        client.close(violation.rc);
    } else if (violation) {
        client.acknowledge(packet);
        client.notify(topicRefusal("Publish", packet.topic, violation));
    } else if (identity.clientClass === "g") {
        const fault = platform.faults.take("refusePublish", client.clientId, packet.topic);
        if (fault) {
            client.acknowledge(packet);
            client.notify({ request: "Publish", topic: packet.topic, rc: fault.rc, message: fault.message ?? registryMessage(fault.rc) });
        } else {
            publishForDevice(client, packet, levels);
        }
    } else {
        accept(client, packet);
    }
}

function publishForDevice(client: ConnectedClient, packet: IPublishPacket, levels: readonly string[]): void {
    const device = deviceOf(levels);
    if (!device || isOwnDevice(client.identity, device)) {
        accept(client, packet);
        return;
    }
    const { role, group } = client.rights;
    if (group && role === "standard" && !group.has(deviceKey(device))) {
        client.acknowledge(packet);
        client.notify({ request: "Publish", topic: packet.topic, rc: 180, message: notInGroupMessage });
        return;
    }
    client.checks.check(device, (refusal) => {
        if (refusal === undefined) accept(client, packet);
        else refuse(client, packet, device, refusal);
    });
}

function refuse(client: ConnectedClient, packet: IPublishPacket, device: DeviceName, refusal: DeviceRefusal): void {
    client.acknowledge(packet);
    if (client.platform.settings.strayPing) client.sendStrayPing();
    if (refusal === "in-back-off") return;
    client.notify({ request: "Publish", topic: withOrganisation(client.identity.organisation, packet.topic), device, ...refusal });
}

function accept(client: ConnectedClient, packet: IPublishPacket): void {
    const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
    if (packet.qos === 2) client.session.receive(packet.messageId ?? 0);
    client.organisation.publish({ topic: toPlatform(client.identity, packet.topic), payload, qos: packet.qos });
    client.acknowledge(packet);
}
