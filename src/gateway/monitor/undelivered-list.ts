import { translate } from "../../i18n";
import type { KeptSelection, KeptSummary, StoredUndelivered } from "../../outbox/store/store";
import type { KeptEvents } from "../../outbox/undelivered/kept-events";
import { parseDeviceKey } from "../../protocol/identity";
import { undeliveredMessage } from "../events/undelivered-message";
import type { GatewayListeners } from "../gateway-listeners";
import { type ActionOutcome, done, notDone } from "./gateway-actions";

/** Which undelivered events are meant; as in the outbox. */
export type { KeptSelection } from "../../outbox/store/store";

const pageSize = 200;

/** The events that were not delivered and are kept, for an operator. Each call rejects with `GW_STORE` if they cannot be read. */
export class UndeliveredList {
    readonly #deps: UndeliveredListDeps;

    constructor(deps: UndeliveredListDeps) {
        this.#deps = deps;
    }

    /** A page of the list, the latest first. */
    async page(selection: KeptSelection, page: number): Promise<UndeliveredPage> {
        const { events, total } = await this.#deps.kept.list(selection, { offset: page * pageSize, limit: pageSize });
        return { events: events.map(viewOf), total, page, pageSize };
    }

    /** The events with their data as JSON Lines, the oldest first, a part at a time. */
    async *export(selection: KeptSelection): AsyncGenerator<string> {
        for await (const events of this.#deps.kept.read(selection))
            yield events.map((event) => `${JSON.stringify(lineOf(event))}\n`).join("");
    }

    /** Sends events again until the outbox is full: the rest stays in the list. */
    async sendAgain(selection: KeptSelection): Promise<ActionOutcome> {
        const { kept, listeners, received } = this.#deps;
        const { sent, rejection } = await kept.sendAgain(selection);
        for (let count = 0; count < sent; count++) received();
        if (sent > 0) {
            listeners.log(translate("gateway.undeliveredSentAgain", { count: sent }));
            listeners.countsChanged();
        }
        if (rejection) return notDone("undeliveredStay", { count: sent, reason: rejection.message });
        return sent > 0 ? done("undeliveredSentAgain", { count: sent }) : notDone("nothingUndelivered");
    }

    /** Deletes events. */
    async remove(selection: KeptSelection): Promise<ActionOutcome> {
        const { kept, listeners } = this.#deps;
        const count = await kept.remove(selection);
        if (count === 0) return notDone("nothingUndelivered");
        listeners.log(translate("gateway.undeliveredDeleted", { count }));
        listeners.countsChanged();
        return done("undeliveredDeleted", { count });
    }
}

/** What the list works with. */
export interface UndeliveredListDeps {
    readonly kept: KeptEvents;
    readonly listeners: GatewayListeners;
    /** An event is sent again: it counts like a new one. */
    received(): void;
}

/** A page of the list. */
export interface UndeliveredPage {
    readonly events: readonly UndeliveredView[];
    /** How many are selected. */
    readonly total: number;
    readonly page: number;
    readonly pageSize: number;
}

/** An event in the list. Times are ISO 8601. */
interface UndeliveredView {
    readonly id: number;
    /** Absent on own topics that name no type. */
    readonly typeId: string;
    readonly deviceId: string;
    readonly eventId: string;
    readonly code: string;
    readonly rc?: number;
    readonly reason: string;
    readonly time: string;
    readonly ended: string;
    /** Bytes of the payload. */
    readonly size: number;
    /** Whether a Catch node got it. */
    readonly caught: boolean;
}

function viewOf({ id, device, eventId, code, rc, reason, enteredAt, endedAt, size, caught }: KeptSummary): UndeliveredView {
    const times = { time: new Date(enteredAt).toISOString(), ended: new Date(endedAt).toISOString() };
    return { id, ...parseDeviceKey(device), eventId, code, ...(rc !== undefined && { rc }), reason, ...times, size, caught };
}

/** The event as Catch nodes got it, with its end. Bytes are in Base64. */
function lineOf(event: StoredUndelivered): object {
    const { payload, ...message } = undeliveredMessage(event);
    const { error, endedAt, state } = event;
    return {
        ...message,
        ...(Buffer.isBuffer(payload) ? { payloadBase64: payload.toString("base64") } : { payload }),
        code: error.code,
        ...(error.rc !== undefined && { rc: error.rc }),
        reason: error.message,
        ended: new Date(endedAt).toISOString(),
        caught: state === "caught",
    };
}
