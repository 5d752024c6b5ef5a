import type { Clock } from "../../clock";
import { AcknowledgedRing, doubtMs } from "../../devices/refusals/acknowledged-ring";
import { EventLoopStalls } from "../../devices/refusals/event-loop-stalls";
import {
    type NumberedPublish,
    type PublishOrigin,
    type RecentPublish,
    RecentPublishes,
    type RefusedPublish,
} from "../../devices/refusals/recent-publishes";
import { refusalError } from "../../devices/refusals/refusal-error";
import type { Registration } from "../../devices/registration/registration";
import type { RefusalVerdict } from "../../devices/registration/registration-types";
import type { StrayInterval } from "../../devices/registration/stray-pings";
import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { OutboxEvent, RefusalNote } from "../../outbox/event";
import type { Transmission } from "../../outbox/ports";
import { deviceKey, parseDeviceKey } from "../../protocol/identity";
import { type Notification, type NotificationFields, notifiedDevice, notifiedTopic, parseNotification } from "../../protocol/notification";
import type { LateMessage } from "../gateway-listeners";

/**
 * Turns the platform's refusals into errors of the events they concern, or takes these back while they are kept. The platform
 * acknowledges a refused event like any other. The only sign is a notification, which names a topic, not a message; of a device
 * in back-off it is a stray ping, which names nothing.
 */
export class RefusalHandler {
    readonly #deps: RefusalHandlerDeps;
    readonly #recent = new RecentPublishes();
    readonly #stalls: EventLoopStalls;
    readonly #ring: AcknowledgedRing<Transmission>;
    /** Events of the outbox that are refused before they are acknowledged, by number. */
    readonly #refusedEarly = new Map<number, FinalRefusal>();
    /** What may have been dropped of each suspect. */
    readonly #suspicions = new Map<string, DoubtfulPublishes>();

    constructor(deps: RefusalHandlerDeps) {
        this.#deps = deps;
        this.#stalls = new EventLoopStalls(deps.clock);
        this.#ring = new AcknowledgedRing(deps.clock, this.#stalls);
    }

    /** A publish goes out now (monotonic); returns its number for the other calls. `isQueued`: the outbox has it. */
    sent(device: string, topic: string, origin: PublishOrigin, nowMs: number, isQueued = false): number {
        return this.#recent.add(device, topic, origin, nowMs, isQueued);
    }

    /**
     * The platform acknowledged a publish now (monotonic): a refusal of it comes within seconds, or not at all. A check is no reason for
     * suspicion.
     */
    acknowledged(number: number, nowMs: number, isCheck = false): void {
        this.#stalls.watch(nowMs);
        this.#recent.acknowledged(number, nowMs);
        if (!isCheck && this.#suspicions.size > 0) this.#noteSuspect(number);
    }

    /** The same for an event of the outbox, which is kept for as long as a registering server may show that it dropped it. */
    eventAcknowledged(number: number, { device, bytes }: OutboxEvent, nowMs: number, isCheck: boolean, transmission: Transmission): void {
        const { registration } = this.#deps;
        this.acknowledged(number, nowMs, isCheck);
        transmission.acknowledged();
        const refusal = this.#refusedEarly.get(number);
        if (refusal) {
            this.#refusedEarly.delete(number);
            transmission.refused(refusal.error, refusal.note);
            return;
        }
        if (registration.isRegistering) this.#ring.add({ number, device, bytes, acknowledgedMs: nowMs, transmission });
        else transmission.settled();
    }

    /** The platform has accepted a publish: no notification is about it. */
    accepted(number: number): void {
        this.#recent.accepted(number);
    }

    /** A publish did not reach the platform. */
    forget(number: number): void {
        this.#recent.forget(number);
    }

    /** A notification came in: reports it to the senders concerned. Returns the message for the flow. */
    received(topic: string, payload: Buffer): ReceivedNotification {
        const notification = parseNotification(payload);
        if (notification.malformed) return { topic, notification };
        const { fields } = notification;
        const address = notifiedDevice(fields);
        const device = address && deviceKey(address);
        const match = fields.request === "publish" ? this.#match(fields, device) : undefined;
        this.#report(fields, match?.best.device ?? device, match);
        return match ? { topic, notification, event: this.#describe(match) } : { topic, notification };
    }

    /** Stray pings came in that no check explains: the devices are checked of which something was acknowledged shortly before. */
    unexplainedDrop(strays: StrayInterval): void {
        const { registration, unmatched } = this.#deps;
        const sinceMs = this.#stalls.startOf(doubtMs, strays.firstMs);
        const publishes = this.#recent.acknowledgedWithin(sinceMs, strays.lastMs);
        const suspects = registration.suspect(publishes.keys(), strays);
        for (const device of suspects) this.#suspicions.set(device, { sinceMs, publishes: publishes.get(device) ?? [] });
        this.#ring.suspect(suspects);
        unmatched(
            suspects.length === 0
                ? new GatewayError("GW_REFUSED", translate("gateway.unexplainedDrop"))
                : new GatewayError("GW_REFUSED", translate("gateway.suspects", { count: suspects.length })),
        );
    }

    /** Nothing of a suspect was dropped. */
    cleared(device: string): void {
        this.#suspicions.delete(device);
        this.#ring.clear(device);
    }

    /** Everything of a suspect was dropped since: what is kept is sent again, the rest has failed. */
    convicted(device: string, heldUntil: number): void {
        const { failed, recall } = this.#deps;
        const { sinceMs, publishes } = this.#suspicions.get(device) ?? nothing;
        const kept = this.#ring.take(device, sinceMs);
        this.#suspicions.delete(device);
        recall(device);
        const verdict = { willRetry: false, heldUntil };
        for (const { number, publish } of publishes) {
            this.#recent.forget(number);
            if (kept.has(number)) continue;
            const error = refusalError({ topic: publish.topic }, device, verdict);
            failed(publish.nodeId, error, { ...lateMessage(publish), refusal: refusalNote({}, verdict) });
        }
    }

    /** What was acknowledged of the device is not to be sent again. */
    letGo(device: string): void {
        this.#ring.take(device, Number.POSITIVE_INFINITY);
    }

    /** The connection ended: no further sign comes of what was acknowledged on it. */
    linkDown(): void {
        this.#ring.linkDown();
        this.#refusedEarly.clear();
    }

    /** From now on nothing is kept. */
    keepNothing(): void {
        this.#ring.close();
    }

    /** Stops the timer. */
    close(): void {
        this.#stalls.close();
    }

    #noteSuspect(number: number): void {
        const publish = this.#recent.get(number);
        if (publish) this.#suspicions.get(publish.device)?.publishes.push({ number, publish });
    }

    #describe({ best, candidates }: RefusedPublish): NonNullable<ReceivedNotification["event"]> {
        const { clock } = this.#deps;
        const wallMinusMonotonicMs = clock.now() - clock.monotonicMs();
        const described = (publish: RecentPublish) => notifiedEvent(publish, wallMinusMonotonicMs);
        return { ...described(best), candidates: candidates.map(described) };
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
        // What was given up as a check has failed already, with the same text.
        if (verdict.isDropped) return;
        const isEnded = match !== undefined && !verdict.willRetry && this.#endMatch(match, fields, device, verdict);
        const lost = device !== undefined && verdict.recalls ? this.#recall(device, verdict.recalls, match) : [];
        if (match && !verdict.recalls) this.#ring.settle(match.number);
        const isLost = lost.some(({ number }) => number === match?.number);
        const fate = { ...verdict, willRetry: verdict.willRetry && !isLost };
        const error = refusalError(fields, device, fate, match?.candidates.length);
        if (!match) unmatched(error);
        else if (!isEnded) failed(match.best.nodeId, error, { ...lateMessage(match.best), refusal: refusalNote(fields, fate) });
        const final = { ...verdict, willRetry: false };
        for (const { number, publish } of lost) {
            if (number === match?.number) continue;
            const refused = refusalError(fields, device, final);
            failed(publish.nodeId, refused, { ...lateMessage(publish), refusal: refusalNote(fields, final) });
        }
    }

    /** The refused event ends with its data, where the outbox still has it. */
    #endMatch(match: RefusedPublish, fields: NotificationFields, device: string | undefined, verdict: RefusalVerdict): boolean {
        const { number, isQueued, isAcknowledged, candidates } = match;
        const refusal = { error: refusalError(fields, device, verdict, candidates.length), note: refusalNote(fields, verdict) };
        if (isQueued && !isAcknowledged) {
            this.#refusedEarly.set(number, refusal);
            return true;
        }
        const kept = this.#ring.takeOne(number);
        kept?.transmission.refused(refusal.error, refusal.note);
        return kept !== undefined;
    }

    /**
     * A device turned out to be refused that was flowing: everything that the platform acknowledged shortly before the
     * notification, and everything later, was dropped. Takes back what is kept; returns the rest.
     */
    #recall(device: string, which: "all" | "others", match: RefusedPublish | undefined): NumberedPublish[] {
        const sinceMs = this.#stalls.startOf(doubtMs, this.#deps.clock.monotonicMs());
        if (which === "others" && match) this.#ring.settle(match.number);
        const kept = this.#ring.take(device, sinceMs);
        this.#deps.recall(device);
        const refused = match?.isAcknowledged ? [{ number: match.number, publish: match.best }] : [];
        const acknowledged = this.#recent.takeAcknowledgedSince(device, sinceMs);
        return [...refused, ...acknowledged].filter(({ number }) => !kept.has(number));
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

/** @param wallMinusMonotonicMs the difference between the two clocks */
function notifiedEvent(publish: RecentPublish, wallMinusMonotonicMs: number): NotifiedEvent {
    const sentAt = new Date(Math.round(publish.sentMs + wallMinusMonotonicMs)).toISOString();
    return { ...lateMessage(publish), nodeId: publish.nodeId, sentAt };
}

function lateMessage({ device, messageId, eventId }: RecentPublish): LateMessage {
    return { _msgid: messageId, ...parseDeviceKey(device), eventId };
}

/** An event will not be sent again. */
interface FinalRefusal {
    readonly error: GatewayError;
    readonly note: RefusalNote;
}

/** What may have been dropped of a suspect. */
interface DoubtfulPublishes {
    /** Monotonic milliseconds. */
    readonly sinceMs: number;
    readonly publishes: NumberedPublish[];
}

const nothing: DoubtfulPublishes = { sinceMs: 0, publishes: [] };

/** What a refusal acts on. */
export interface RefusalHandlerDeps {
    readonly clock: Clock;
    readonly registration: Registration;
    /** Takes back every event of the device that is not settled. */
    recall(device: string): void;
    /** The event failed: raised on the node that sent it. */
    failed(nodeId: string, error: GatewayError, message: LateMessage): void;
    /** Something was refused that is none of the latest events. */
    unmatched(error: GatewayError): void;
    /** The device, where one is named, had something refused. */
    counted(device: string): void;
}

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
