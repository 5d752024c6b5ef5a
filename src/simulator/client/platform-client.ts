import type { IConnectPacket, IPublishPacket, ISubscribePacket, IUnsubscribePacket } from "mqtt-packet";
import type { Organisation } from "../organisation";
import type { Platform } from "../platform";
import type { DeviceChecks } from "../registration/front-end";
import { notificationPayload, type Refusal } from "../registration/notification";
import type { GatewayRights } from "../registration/registry";
import { toClient } from "../topic-form";
import type { Admission } from "./admission";
import { Client } from "./client";
import type { ClientIdentity } from "./client-identity";
import type { CloseCode } from "./close-codes";
import { publishMonitoring } from "./monitoring";
import type { PacketStream } from "./packet-stream";
import { receivePublish } from "./publish-handler";
import { receiveSubscribe, receiveUnsubscribe } from "./subscribe-handler";
import type { ConnectedClient } from "./types";

/** A gateway, device or application, to which the platform's rules apply. */
export class PlatformClient extends Client implements ConnectedClient {
    readonly identity: ClientIdentity;
    readonly organisation: Organisation;
    readonly rights: GatewayRights;
    readonly checks: DeviceChecks;
    readonly speaksOldMqtt: boolean;
    readonly #openedAt: Date;

    constructor(
        platform: Platform,
        stream: PacketStream,
        openedAt: Date,
        { identity, organisation, will }: Admission,
        packet: IConnectPacket,
    ) {
        const { clientId } = identity;
        super({ platform, stream, space: organisation, clientId, will }, packet);
        this.identity = identity;
        this.organisation = organisation;
        this.rights = organisation.registry.rights(identity.typeId, identity.id);
        this.checks = organisation.frontEndOf(clientId).connect({ clientId, rights: this.rights });
        this.speaksOldMqtt = packet.protocolVersion === 3;
        this.#openedAt = openedAt;
    }

    get #times(): { at: Date; connectedAt: Date } {
        return { at: new Date(this.platform.timers.now()), connectedAt: this.#openedAt };
    }

    notify(refusal: Refusal): void {
        const { typeId, id } = this.identity;
        const { faults, settings, timers } = this.platform;
        const { message = "", ...withoutMessage } = refusal;
        this.report("notification", { topic: refusal.topic, code: refusal.rc, message });
        if (faults.take("loseNotification", this.clientId, refusal.topic)) return;
        const sent = faults.take("notificationWithoutMessage", this.clientId, refusal.topic) ? withoutMessage : refusal;
        timers.after(settings.notificationDelayMs, () => {
            const payload = notificationPayload(sent, this.clientId, new Date(timers.now()));
            this.organisation.publish({ topic: `iot-2/type/${typeId}/id/${id}/notify`, payload, qos: 0 });
        });
    }

    protected override receivePublish(packet: IPublishPacket): void {
        receivePublish(this, packet);
    }

    protected override receiveSubscribe(packet: ISubscribePacket): void {
        receiveSubscribe(this, packet);
    }

    protected override receiveUnsubscribe(packet: IUnsubscribePacket): void {
        receiveUnsubscribe(this, packet);
    }

    protected override wireTopic(topic: string): string {
        return toClient(this.identity, topic);
    }

    protected override connected(): void {
        const { registry } = this.organisation;
        if (this.identity.typeId !== "" && !registry.isFull) registry.register(this.identity.typeId, this.identity.id);
        publishMonitoring(this, "Connect", this.remoteAddress, this.#times);
    }

    protected override disconnected(code: CloseCode): void {
        this.checks.end();
        publishMonitoring(this, "Disconnect", this.remoteAddress, this.#times, code);
    }
}
