import { shortened } from "../i18n";
import type { DeviceAddress } from "../protocol/identity";
import type { ManagementAnswer } from "../protocol/management";

/** Remembers the latest requests of device management, each with its outcome. */
export class RequestHistory {
    /** By key, the oldest first. */
    readonly #views = new Map<string, RequestView>();
    #count = 0;
    #unnamed = 0;

    /** The oldest first. */
    get items(): readonly RequestView[] {
        return [...this.#views.values()];
    }

    /** Grows with every change. */
    get count(): number {
        return this.#count;
    }

    /** A new request arrived. The key is that of its answer, absent when the platform wants none. */
    received(key: string | undefined, request: Begun): void {
        this.#put(key ?? this.#newKey(), { ...request, outcome: key === undefined ? "unanswered" : "waiting" });
    }

    /** The request was answered. */
    answered(key: string, { rc, message }: ManagementAnswer): void {
        this.#change(key, { outcome: "answered", rc, isDelivered: false, ...(message !== undefined && { message: cut(message) }) });
    }

    /** The platform acknowledged the answer. */
    delivered(key: string): void {
        if (this.#views.get(key)?.isDelivered === false) this.#change(key, { isDelivered: true });
    }

    /** A firmware step was answered, or failed. */
    ended(sent: Begun, { answer, error }: { answer?: ManagementAnswer; error?: Error }): void {
        const message = error?.message ?? answer?.message;
        this.#put(this.#newKey(), {
            ...sent,
            outcome: error ? "failed" : "answered",
            ...(answer && { rc: answer.rc }),
            ...(message !== undefined && { message: cut(message) }),
        });
    }

    #newKey(): string {
        this.#unnamed += 1;
        return String(this.#unnamed);
    }

    #put(key: string, view: RequestView): void {
        this.#count += 1;
        this.#views.delete(key);
        this.#views.set(key, view.action === undefined ? view : { ...view, action: cut(view.action) });
        const [oldest] = this.#views.keys();
        if (this.#views.size > capacity && oldest !== undefined) this.#views.delete(oldest);
    }

    #change(key: string, change: Partial<RequestView>): void {
        const view = this.#views.get(key);
        if (!view) return;
        this.#count += 1;
        this.#views.set(key, { ...view, ...change });
    }
}

/** A device management request, or a firmware step that was notified, as it is shown. */
export interface RequestView extends DeviceAddress {
    /** When it was received or sent (wall clock, milliseconds). */
    readonly at: number;
    /** As in `msg.dm.action`; a custom one as `bundle/action`, a firmware step as `firmware/step`. Absent = it could not be read. */
    readonly action?: string;
    /** `device`: the gateway notified the platform of something. */
    readonly from: "platform" | "device";
    /** `waiting`: a flow is working on it. `unanswered`: the platform wants no answer. `failed`: it could not be sent, or was not answered. */
    readonly outcome: "waiting" | "answered" | "unanswered" | "failed";
    /** The code of the answer. */
    readonly rc?: number;
    readonly message?: string;
    /** Whether the platform has acknowledged our answer. */
    readonly isDelivered?: boolean;
}

type Begun = Omit<RequestView, "outcome" | "rc" | "message" | "isDelivered">;

const capacity = 50;
const maxCharacters = 300;

function cut(text: string): string {
    return shortened(text, maxCharacters);
}
