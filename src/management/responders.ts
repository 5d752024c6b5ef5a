import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { type DeviceAddress, deviceKey, sameDevice } from "../protocol/identity";
import type { Responder, ResponderCounts, ResponderTarget } from "./responder";

/**
 * Every responder of a gateway: which of them answers for a device, and what each has to do. The most specific target wins: both ids are
 * more specific than a device id alone, that more than a type id alone, and that more than neither. The gateway itself is matched only
 * by its own address. Responders with the same target are in conflict: each is notified, and none gets anything.
 */
export class Responders {
    readonly #clock: Clock;
    readonly #gateway: DeviceAddress;
    readonly #byTarget = new Map<string, Set<Responder>>();
    readonly #records = new Map<Responder, ResponderRecord>();
    /** The responders whose counts have changed since they were notified. */
    readonly #changed = new Set<Responder>();
    #timer: Timer | undefined;

    constructor(clock: Clock, gateway: DeviceAddress) {
        this.#clock = clock;
        this.#gateway = gateway;
    }

    add(responder: Responder): void {
        this.#records.set(responder, { counts: { ...nothing }, notified: JSON.stringify(nothing), isInConflict: false });
        const key = this.#keyOf(responder.options.target);
        const sharing = this.#byTarget.get(key) ?? new Set();
        this.#byTarget.set(key, sharing.add(responder));
        this.#notifyConflict(sharing);
    }

    /** Removes a responder; false if it was removed before. */
    remove(responder: Responder): boolean {
        if (!this.#records.delete(responder)) return false;
        this.#changed.delete(responder);
        const key = this.#keyOf(responder.options.target);
        const sharing = this.#byTarget.get(key);
        sharing?.delete(responder);
        if (sharing && sharing.size > 0) this.#notifyConflict(sharing);
        else this.#byTarget.delete(key);
        return true;
    }

    /** The responder of a device; why there is none, where there is none. */
    find(device: DeviceAddress): TargetMatch {
        const own = sameDevice(device, this.#gateway);
        const keys = own ? [deviceKey(device)] : [deviceKey(device), `/${device.deviceId}`, `${device.typeId}/`, "/"];
        for (const key of keys) {
            const sharing = this.#byTarget.get(key);
            if (!sharing) continue;
            const [owner] = sharing;
            return sharing.size === 1 && owner ? { kind: "one", owner } : { kind: "tie" };
        }
        return { kind: "none" };
    }

    /** The responder of a device; undefined when there is none, or several contend for it. */
    ownerOf(device: DeviceAddress): Responder | undefined {
        const match = this.find(device);
        return match.kind === "one" ? match.owner : undefined;
    }

    /** The one device that a responder answers for, or undefined when it stands for several. */
    singleDevice({ options: { target } }: Responder): DeviceAddress | undefined {
        if (target.kind === "gateway") return this.#gateway;
        const { typeId, deviceId } = target;
        return typeId && deviceId ? { typeId, deviceId } : undefined;
    }

    /** The ids that a flow's message to a responder may leave out. */
    impliedIds({ options: { target } }: Responder): Partial<DeviceAddress> {
        if (target.kind === "gateway") return this.#gateway;
        return { ...(target.typeId && { typeId: target.typeId }), ...(target.deviceId && { deviceId: target.deviceId }) };
    }

    /**
     * A responder has one device or request more, or less. It is notified within a quarter of a second, if a count is another one then.
     * @param rc the code that the platform gave for a device that it rejected
     */
    count(responder: Responder, kind: CountedKind, by: 1 | -1, rc?: number): void {
        const counts = this.#records.get(responder)?.counts;
        if (!counts) return;
        counts[kind] += by;
        if (counts.rejected === 0) delete counts.rejectedRc;
        else if (rc !== undefined && by > 0) counts.rejectedRc = rc;
        this.#changed.add(responder);
        this.#timer ??= this.#clock.setTimer(notifyEveryMs, () => this.#notifyCounts());
    }

    /** Ends the timer. */
    close(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #notifyCounts(): void {
        this.#timer = undefined;
        for (const responder of this.#changed) {
            const record = this.#records.get(responder);
            const text = JSON.stringify(record?.counts);
            if (!record || record.notified === text) continue;
            record.notified = text;
            responder.listener.countsChanged({ ...record.counts });
        }
        this.#changed.clear();
    }

    #notifyConflict(sharing: ReadonlySet<Responder>): void {
        const isTie = sharing.size > 1;
        for (const responder of sharing) {
            const record = this.#records.get(responder);
            if (!record || record.isInConflict === isTie) continue;
            record.isInConflict = isTie;
            responder.listener.conflictChanged(isTie ? new GatewayError("GW_CONFIG", translate("management.conflict")) : undefined);
        }
    }

    #keyOf(target: ResponderTarget): string {
        if (target.kind === "gateway") return deviceKey(this.#gateway);
        return `${target.typeId ?? ""}/${target.deviceId ?? ""}`;
    }
}

/** Who answers for a device. */
export type TargetMatch =
    | { readonly kind: "one"; readonly owner: Responder }
    /** Several have the same target, which is a mistake in the configuration. */
    | { readonly kind: "tie" }
    | { readonly kind: "none" };

/** What is counted for each responder. */
export type CountedKind = "managed" | "pending" | "rejected" | "requests";

interface ResponderRecord {
    readonly counts: { -readonly [K in keyof ResponderCounts]: ResponderCounts[K] };
    /** The counts that it was notified of last, as text. */
    notified: string;
    isInConflict: boolean;
}

const nothing: ResponderCounts = { managed: 0, pending: 0, rejected: 0, requests: 0 };
const notifyEveryMs = 250;
