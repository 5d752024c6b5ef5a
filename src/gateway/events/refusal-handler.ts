import type { Clock } from "../../clock";
import { type PublishOrigin, type RecentPublish, RecentPublishes, type RefusedPublish } from "../../devices/refusals/recent-publishes";
import { refusalError } from "../../devices/refusals/refusal-error";
import type { Registration } from "../../devices/registration/registration";
import type { RefusalVerdict } from "../../devices/registration/registration-types";
import type { GatewayError } from "../../errors";
import { deviceKey, parseDeviceKey } from "../../protocol/identity";
import { type Notification, type NotificationFields, notifiedDevice, notifiedTopic, parseNotification } from "../../protocol/notification";
import type { LateMessage, RefusalNote } from "../gateway-listeners";

/** An event that a notification may speak of. */
export interface NotifiedEvent extends LateMessage {
    readonly nodeId: string;
    /** ISO 8601. */
    readonly sentAt: string;
}

/** A notification, and the event that was refused where one of the latest fits. */
export interface ReceivedNotification {
    readonly topic: string;
    readonly notification: Notification;
    /** The best match; `candidates` are all that fit, the oldest first, this one included. */
    readonly event?: NotifiedEvent & { readonly candidates: readonly NotifiedEvent[] };
}

/** What a refusal is told to. */
export interface RefusalHandlerDeps {
    readonly clock: Clock;
    readonly registration: Registration;
    /** The event failed: raised on the node that sent it. */
    failed(nodeId: string, error: GatewayError, message: LateMessage): void;
    /** Something was refused that is none of the latest events. */
    unmatched(error: GatewayError): void;
    /** The device, where one is named, had something refused. */
    counted(device: string): void;
}

/**
 * Turns the platform's notifications into errors of the events they refuse. The platform acknowledges a refused event like any
 * other, so the notification is the only word of it; it names a topic, not a message.
 */
export class RefusalHandler {
    readonly #deps: RefusalHandlerDeps;
    readonly #recent = new RecentPublishes();

    constructor(deps: RefusalHandlerDeps) {
        this.#deps = deps;
    }

    /** A publish goes out; returns its number for `acknowledged`. */
    sent(device: string, topic: string, origin: PublishOrigin): number {
        const { clock } = this.#deps;
        return this.#recent.add(device, topic, origin, clock.now(), clock.monotonicMs());
    }

    /** The platform acknowledged a publish: it is refused within seconds, or not at all. */
    acknowledged(number: number): void {
        this.#recent.acknowledged(number, this.#deps.clock.monotonicMs());
    }

    /** A publish did not reach the platform, or is known to be accepted. */
    forget(number: number): void {
        this.#recent.forget(number);
    }

    /** A notification came in: tells whoever it concerns. Returns what a flow may get of it. */
    received(topic: string, payload: Buffer): ReceivedNotification {
        const notification = parseNotification(payload);
        if (notification.malformed) return { topic, notification };
        const { fields } = notification;
        const address = notifiedDevice(fields);
        const device = address && deviceKey(address);
        const match = fields.request === "publish" ? this.#match(fields, device) : undefined;
        this.#report(fields, match?.best.device ?? device, match);
        return match ? { topic, notification, event: describe(match) } : { topic, notification };
    }

    #match(fields: NotificationFields, device: string | undefined): RefusedPublish | undefined {
        const nowMs = this.#deps.clock.monotonicMs();
        const topic = notifiedTopic(fields);
        // The device that the topic of the notification names is part of the topic; only its own ids add something.
        const named = fields.typeId === undefined ? undefined : device;
        return this.#recent.refused(topic, named, nowMs);
    }

    #report(fields: NotificationFields, device: string | undefined, match: RefusedPublish | undefined): void {
        const { registration, failed, unmatched, counted } = this.#deps;
        const verdict: RefusalVerdict = registration.refused(device, {
            rc: fields.rc ?? 0,
            request: fields.request ?? "",
            text: fields.message ?? "",
            registration: fields.typeId !== undefined && fields.deviceId !== undefined,
        });
        if (device !== undefined) counted(device);
        // What was given up as a registration attempt has failed already, with the same words.
        if (verdict.isDropped) return;
        const error = refusalError(fields, device, verdict, match?.candidates.length);
        if (!match) {
            unmatched(error);
            return;
        }
        const refusal = refusalNote(fields, verdict);
        const lost = verdict.endsKnown ? this.#recent.acknowledgedAfter(match.sequence, match.best.device) : [];
        for (const publish of [match.best, ...lost]) failed(publish.nodeId, error, { ...lateMessage(publish), refusal });
    }
}

function refusalNote({ rc, message, time }: NotificationFields, { willRetry, heldUntil }: RefusalVerdict): RefusalNote {
    return {
        ...(rc !== undefined && { rc }),
        ...(message !== undefined && { message }),
        ...(time !== undefined && { time }),
        willRetry,
        ...(heldUntil !== undefined && { heldUntil: new Date(heldUntil).toISOString() }),
    };
}

function describe({ best, candidates }: RefusedPublish): NonNullable<ReceivedNotification["event"]> {
    return { ...notifiedEvent(best), candidates: candidates.map(notifiedEvent) };
}

function notifiedEvent(publish: RecentPublish): NotifiedEvent {
    return { ...lateMessage(publish), nodeId: publish.nodeId, sentAt: new Date(publish.sentAt).toISOString() };
}

function lateMessage({ device, messageId, eventId }: RecentPublish): LateMessage {
    return { _msgid: messageId, ...parseDeviceKey(device), eventId };
}
