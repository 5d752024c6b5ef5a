import { isRecord, parseMembers } from "../../protocol/json";
import type { Hold, HoldReason, RegistrationState } from "../registration/registration-types";

/** What is kept of a device. Times are wall clock milliseconds, 0 = never. */
export class DeviceRecord {
    firstSeenAt: number;
    lastEventAt = 0;
    lastCommandAt = 0;
    events = 0;
    commands = 0;
    refusals = 0;
    /** Whether the platform knew the device when it was last heard of. */
    isKnown = false;
    hold: Hold | undefined;
    /** Whether counters have changed since they were written. */
    isDirty = false;
    /** Whether the store holds anything of the device. */
    isStored = false;

    constructor(firstSeenAt: number) {
        this.firstSeenAt = firstSeenAt;
    }

    /** Takes over what is to be remembered of a registration. */
    setRegistration(state: RegistrationState): void {
        this.isKnown = state.phase === "known";
        this.hold = state.hold;
    }

    /** Adds what was seen later, before this record was read. */
    add(later: DeviceRecord): void {
        this.lastEventAt = Math.max(this.lastEventAt, later.lastEventAt);
        this.lastCommandAt = Math.max(this.lastCommandAt, later.lastCommandAt);
        this.events += later.events;
        this.commands += later.commands;
        this.refusals += later.refusals;
        this.isDirty = later.isDirty;
    }

    /** The record as text, for the state file. */
    encode(): string {
        const { firstSeenAt, lastEventAt, lastCommandAt, events, commands, refusals, isKnown, hold } = this;
        return JSON.stringify({ firstSeenAt, lastEventAt, lastCommandAt, events, commands, refusals, isKnown, hold });
    }

    /** What the server knows of the device, as text; undefined when it knows nothing. */
    encodeRegistration(): string | undefined {
        const { isKnown, hold } = this;
        return isKnown || hold ? JSON.stringify({ isKnown, hold }) : undefined;
    }

    /** Takes what another server knows of the device, as text; undefined when it knows nothing. */
    takeRegistration(text: string | undefined): void {
        this.#readRegistration((text === undefined ? undefined : parseMembers(text)) ?? {});
    }

    /** Reads a record; what is missing or of the wrong kind, as after a hand edit, takes its default. */
    static decode(text: string): DeviceRecord {
        const record = new DeviceRecord(0);
        const value = parseMembers(text) ?? {};
        for (const name of ["firstSeenAt", "lastEventAt", "lastCommandAt", "events", "commands", "refusals"] as const) {
            record[name] = numberIn(value, name) ?? 0;
        }
        record.#readRegistration(value);
        return record;
    }

    #readRegistration({ isKnown, hold }: Record<string, unknown>): void {
        this.isKnown = isKnown === true;
        this.hold = decodeHold(hold);
    }
}

const holdReasons: readonly HoldReason[] = ["refused", "swallowed", "unanswered", "connection-limit"];

function decodeHold(value: unknown): Hold | undefined {
    if (!isRecord(value)) return undefined;
    const reason = holdReasons.find((each) => each === value.reason);
    const until = numberIn(value, "until");
    if (!reason || until === undefined) return undefined;
    const rc = numberIn(value, "rc");
    return {
        reason,
        until,
        failures: Math.max(numberIn(value, "failures") ?? 1, 1),
        ...(rc !== undefined && { rc }),
        ...(typeof value.text === "string" && { text: value.text }),
    };
}

function numberIn(value: Record<string, unknown>, name: string): number | undefined {
    const member = value[name];
    return typeof member === "number" && Number.isFinite(member) && member >= 0 ? member : undefined;
}
