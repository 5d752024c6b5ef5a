import type { ISubscribePacket, ISubscription, IUnsubscribePacket } from "mqtt-packet";
import { notInGroupMessage, type Refusal, topicRefusal } from "../registration/notification";
import type { MemberFilter } from "../sessions/subscription";
import { type DeviceName, deviceKey, deviceOf, isOwnDevice, toPlatform, withOrganisation } from "../topic-form";
import { checkFilter } from "../topic-rules";
import type { ConnectedClient } from "./types";

const maxApplicationSubscriptions = 10_000;

/**
 * Handles a SUBSCRIBE. One filter that is not allowed fails the whole packet: every code is 0x80 and none becomes active. A
 * gateway gets one notification for each bad filter, other clients are disconnected.
 */
export function receiveSubscribe(client: ConnectedClient, packet: ISubscribePacket): void {
    const { identity, platform } = client;
    if (platform.faults.take("refuseSubscribe", client.clientId, packet.subscriptions[0]?.topic)) {
        fail(client, packet);
        return;
    }
    const refusals = packet.subscriptions.flatMap(({ topic }) => refusalOf(client, topic) ?? []);
    if (refusals.length > 0 && identity.clientClass !== "g") {
        client.close(refusals[0]?.rc === 289 ? 289 : 276);
        return;
    }
    if (refusals.length > 0) {
        fail(client, packet);
        for (const refusal of refusals) client.notify(refusal);
        return;
    }
    const device = deviceToCheck(client, packet);
    if (!device) {
        grant(client, packet);
        return;
    }
    client.expectAnswer(0);
    client.checks.check(device, (refusal) => {
        if (refusal === undefined) {
            grant(client, packet);
        } else {
            fail(client, packet);
            if (refusal !== "in-back-off") {
                if (platform.settings.strayPing) client.sendStrayPing();
                const topic = withOrganisation(identity.organisation, packet.subscriptions[0]?.topic ?? "");
                client.notify({ request: "Subscribe", topic, device, ...refusal });
            }
        }
        client.answered();
    });
}

/** Handles an UNSUBSCRIBE. It is always acknowledged; a gateway gets a notification for each filter that breaks the rules. */
export function receiveUnsubscribe(client: ConnectedClient, packet: IUnsubscribePacket): void {
    const { clientClass } = client.identity;
    for (const filter of packet.unsubscriptions) client.organisation.unsubscribe(client.session, filter);
    client.send({ cmd: "unsuback", messageId: packet.messageId ?? 0, granted: [] });
    if (clientClass !== "g") return;
    for (const filter of packet.unsubscriptions) {
        const violation = checkFilter(clientClass, filter, filter.split("/"));
        if (violation) client.notify(topicRefusal("Unsubscribe", filter, violation));
    }
}

function refusalOf(client: ConnectedClient, filter: string): Refusal | undefined {
    const levels = filter.split("/");
    const violation = checkFilter(client.identity.clientClass, filter, levels);
    if (violation) return topicRefusal("Subscribe", filter, violation);
    const device = concreteDevice(client, levels);
    const { group } = client.rights;
    if (!group || !device || isOwnDevice(client.identity, device) || group.has(deviceKey(device))) return undefined;
    return { request: "Subscribe", topic: filter, rc: 180, message: notInGroupMessage };
}

function concreteDevice(client: ConnectedClient, levels: readonly string[]): DeviceName | undefined {
    const device = client.identity.clientClass === "g" ? deviceOf(levels) : undefined;
    return device && !/[+#]/.test(device.typeId + device.deviceId) ? device : undefined;
}

/** The device of a single filter without wildcards, which is checked with the registry; with a resource group there is none. */
function deviceToCheck(client: ConnectedClient, packet: ISubscribePacket): DeviceName | undefined {
    const [only, second] = packet.subscriptions;
    if (!only || second || client.rights.group) return undefined;
    const device = concreteDevice(client, only.topic.split("/"));
    return device && !isOwnDevice(client.identity, device) ? device : undefined;
}

function grant(client: ConnectedClient, packet: ISubscribePacket): void {
    const { identity, organisation, session, platform } = client;
    const isDevice = identity.clientClass === "g" || identity.clientClass === "d";
    const limit = isDevice ? platform.settings.maxSubscriptions : maxApplicationSubscriptions;
    for (const { topic, qos } of packet.subscriptions) {
        organisation.subscribe(session, topic, platformFilter(client, topic), qos, memberFilter(client));
    }
    if (session.subscriptions.size > limit) {
        for (const { topic } of packet.subscriptions) organisation.unsubscribe(session, topic);
        client.close(154);
        return;
    }
    answer(client, packet, ({ qos }) => qos);
}

/** `iotdm-1/#` of a gateway means every device, for the sake of old clients. */
function platformFilter(client: ConnectedClient, filter: string): string {
    if (client.identity.clientClass === "g" && filter === "iotdm-1/#") return "iotdm-1/type/+/id/+/#";
    return toPlatform(client.identity, filter);
}

/** With a resource group, only messages of its members and of the gateway itself pass. */
function memberFilter(client: ConnectedClient): MemberFilter | undefined {
    const { group } = client.rights;
    if (client.identity.clientClass !== "g" || !group) return undefined;
    return (levels) => {
        const device = deviceOf(levels);
        return device !== undefined && (isOwnDevice(client.identity, device) || group.has(deviceKey(device)));
    };
}

function fail(client: ConnectedClient, packet: ISubscribePacket): void {
    // MQTT 3.1 has no failure code, so a refused filter looks granted.
    answer(client, packet, () => (client.speaksOldMqtt ? 0 : 0x80));
}

function answer(client: ConnectedClient, packet: ISubscribePacket, code: (subscription: ISubscription) => number): void {
    if (client.platform.faults.take("withholdSuback", client.clientId, packet.subscriptions[0]?.topic)) return;
    client.send({ cmd: "suback", messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(code) });
}
