import { topicMatches } from "./topic-match";

const maxCandidates = 20;
/** The platform notifies a few milliseconds after its acknowledgement; only where nothing fits, a slow one is thought of. */
const usuallyMs = 50;
const atMostMs = 5_000;
/** The acknowledgement itself may take as long as a registration does. */
const unacknowledgedMs = 120_000;

/**
 * The latest publishes, so that a refusal finds its sender. A notification has no packet id: only the topic and the device
 * tell, so the oldest publish to that topic is taken, and all others are listed. Bounded: the oldest is overwritten.
 */
export class RecentPublishes {
    readonly #slots: Slot[];
    #sequence = 0;

    /** @param capacity how many publishes are remembered */
    constructor(capacity = 4096) {
        this.#slots = Array.from({ length: capacity }, () => ({
            device: "",
            topic: "",
            messageId: "",
            nodeId: "",
            eventId: "",
            sentMs: 0,
            acknowledgedMs: 0,
            isAccepted: false,
            isQueued: false,
            sequence: -1,
        }));
    }

    /** Remembers a publish that is sent now, and returns its number for `acknowledged`. Allocates nothing. */
    add(device: string, topic: string, origin: PublishOrigin, nowMs: number, isQueued = false): number {
        const sequence = this.#sequence++;
        const slot = this.#slots[sequence % this.#slots.length];
        if (slot) {
            slot.device = device;
            slot.topic = topic;
            slot.messageId = origin.messageId;
            slot.nodeId = origin.nodeId;
            slot.eventId = origin.eventId;
            slot.sentMs = nowMs;
            slot.acknowledgedMs = Number.POSITIVE_INFINITY;
            slot.isAccepted = false;
            slot.isQueued = isQueued;
            slot.sequence = sequence;
        }
        return sequence;
    }

    /** The publish with this number was acknowledged: a refusal of it would come within seconds. */
    acknowledged(sequence: number, nowMs: number): void {
        const slot = this.#slots[sequence % this.#slots.length];
        if (slot?.sequence === sequence) slot.acknowledgedMs = nowMs;
    }

    /** The publish with this number has passed for accepted: no notification is about it. */
    accepted(sequence: number): void {
        const slot = this.#slots[sequence % this.#slots.length];
        if (slot?.sequence === sequence) slot.isAccepted = true;
    }

    /** The publish with this number never reached the platform, or its refusal is known. */
    forget(sequence: number): void {
        const slot = this.#slots[sequence % this.#slots.length];
        if (slot?.sequence === sequence) slot.sequence = -1;
    }

    /**
     * Finds what a notification refused, by the topic as the gateway sent it, or by the device where the notification has no
     * topic. What is returned as the best match is not found again.
     */
    refused(topic: string | undefined, device: string | undefined, nowMs: number): RefusedPublish | undefined {
        const possible = this.#find(topic, device, nowMs);
        const likely = possible.filter(({ acknowledgedMs }) => acknowledgedMs >= nowMs - usuallyMs);
        const found = (likely.length > 0 ? likely : possible).slice(0, maxCandidates);
        const [oldest] = found;
        if (!oldest) return undefined;
        const candidates = found.map(publishOf);
        const { acknowledgedMs, isQueued, sequence: number } = oldest;
        oldest.sequence = -1;
        const [best] = candidates;
        return best && { best, number, isAcknowledged: Number.isFinite(acknowledgedMs), isQueued, candidates };
    }

    /**
     * Takes what was sent for the device, was acknowledged since a time, and is not yet known to have been refused. What is
     * returned is not found again.
     */
    takeAcknowledgedSince(device: string, sinceMs: number): NumberedPublish[] {
        const found: NumberedPublish[] = [];
        for (const slot of this.#latest()) {
            if (slot.device !== device || slot.acknowledgedMs < sinceMs || slot.acknowledgedMs === Number.POSITIVE_INFINITY) continue;
            found.push({ number: slot.sequence, publish: publishOf(slot) });
            slot.sequence = -1;
        }
        return found;
    }

    /** What was acknowledged within a time, by device, and is not yet known to have been refused. */
    acknowledgedWithin(fromMs: number, toMs: number): Map<string, NumberedPublish[]> {
        const found = new Map<string, NumberedPublish[]>();
        for (const slot of this.#latest()) {
            if (slot.acknowledgedMs < fromMs || slot.acknowledgedMs > toMs) continue;
            const ofDevice = found.get(slot.device);
            const numbered = { number: slot.sequence, publish: publishOf(slot) };
            if (ofDevice) ofDevice.push(numbered);
            else found.set(slot.device, [numbered]);
        }
        return found;
    }

    /** The publish with this number, if it is still remembered and not yet known to have been refused. */
    get(sequence: number): RecentPublish | undefined {
        const slot = this.#slots[sequence % this.#slots.length];
        return slot?.sequence === sequence ? publishOf(slot) : undefined;
    }

    /** The slots in use, the oldest first. */
    *#latest(): Generator<Slot> {
        for (let sequence = Math.max(this.#sequence - this.#slots.length, 0); sequence < this.#sequence; sequence++) {
            const slot = this.#slots[sequence % this.#slots.length];
            if (slot?.sequence === sequence) yield slot;
        }
    }

    #find(topic: string | undefined, device: string | undefined, nowMs: number): Slot[] {
        const found: Slot[] = [];
        for (const slot of this.#latest()) {
            if (slot.isAccepted || slot.acknowledgedMs < nowMs - atMostMs || slot.sentMs < nowMs - unacknowledgedMs) continue;
            if (matches(slot, topic, device)) found.push(slot);
        }
        return found;
    }
}

/** The message that a publish came from. */
export interface PublishOrigin {
    /** Its `_msgid`, and the node that sent it. */
    readonly messageId: string;
    readonly nodeId: string;
    readonly eventId: string;
}

/** A publish that may be refused later: what is needed to tell its sender. */
export interface RecentPublish extends PublishOrigin {
    /** The key of its device. */
    readonly device: string;
    readonly topic: string;
    /** Monotonic milliseconds. */
    readonly sentMs: number;
}

/** A publish with its number. */
export interface NumberedPublish {
    readonly number: number;
    readonly publish: RecentPublish;
}

/** What a notification most likely speaks of. */
export interface RefusedPublish {
    /** The best match: the oldest one that was not matched before. */
    readonly best: RecentPublish;
    /** The number of the best match. */
    readonly number: number;
    /** Whether the best match was acknowledged before. */
    readonly isAcknowledged: boolean;
    /** Whether it came from the outbox. */
    readonly isQueued: boolean;
    /** Everything that it may be, the oldest first, the best one included; at most 20 of them. */
    readonly candidates: readonly RecentPublish[];
}

interface Slot {
    device: string;
    topic: string;
    messageId: string;
    nodeId: string;
    eventId: string;
    /** Monotonic milliseconds. */
    sentMs: number;
    /** Infinite until it is acknowledged. */
    acknowledgedMs: number;
    isAccepted: boolean;
    isQueued: boolean;
    sequence: number;
}

function publishOf({ device, topic, messageId, nodeId, eventId, sentMs }: Slot): RecentPublish {
    return { device, topic, messageId, nodeId, eventId, sentMs };
}

function matches(slot: Slot, topic: string | undefined, device: string | undefined): boolean {
    if (device !== undefined && slot.device !== device) return false;
    return topic === undefined ? device !== undefined : topicMatches(slot.topic, topic);
}
