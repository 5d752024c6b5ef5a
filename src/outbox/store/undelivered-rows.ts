import type { SqlValue } from "node:sqlite";
import { type ErrorCode, errorTable, GatewayError } from "../../errors";
import type { RefusalNote } from "../event";
import type { StoredUndelivered, UndeliveredState } from "./store";
import { eventColumns, eventsFromRows, rowsFromEvents } from "./worker-protocol";

const ownColumns = ["phase", "code", "rc", "reason", "refusal", "ended_at"] as const;
/** The columns of an undelivered event, in the order in which flat rows hold them: the event follows its end. */
export const undeliveredColumns: readonly string[] = [...ownColumns, "id", ...eventColumns.slice(1)];
const states: readonly UndeliveredState[] = ["waiting", "uncaught", "caught"];

/** Undelivered events as flat rows. */
export function rowsFromUndelivered(undelivered: readonly StoredUndelivered[]): SqlValue[] {
    return undelivered.flatMap(({ id, state, event, error, refusal, enteredAt, endedAt }) => [
        stateNumber(state),
        error.code,
        error.rc ?? null,
        error.message,
        refusal ? JSON.stringify(refusal) : null,
        Math.round(endedAt),
        id,
        ...rowsFromEvents([{ ...event, createdAt: enteredAt, expiresAt: enteredAt + event.expiresAt - event.createdAt }]).slice(1),
    ]);
}

/** Undelivered events from flat rows. */
export function undeliveredFromRows(values: readonly SqlValue[]): StoredUndelivered[] {
    const found: StoredUndelivered[] = [];
    for (let index = 0; index < values.length; index += undeliveredColumns.length) {
        const [state, code, rc, reason, refusal, endedAt] = values.slice(index, index + ownColumns.length);
        const [event] = eventsFromRows(values.slice(index + ownColumns.length, index + undeliveredColumns.length));
        if (!event) continue;
        const details = typeof rc === "number" ? { rc, willRetry: false } : {};
        found.push({
            id: event.seq,
            state: states[Number(state)] ?? "uncaught",
            event,
            error: GatewayError.ofEvent(isCode(code) ? code : "GW_UNDELIVERABLE", String(reason), details),
            ...(typeof refusal === "string" && { refusal: refusalOf(refusal) }),
            enteredAt: event.createdAt,
            endedAt: Number(endedAt),
        });
    }
    return found;
}

/** The number that a row holds for a state. */
export function stateNumber(state: UndeliveredState): number {
    return states.indexOf(state);
}

function isCode(code: SqlValue | undefined): code is ErrorCode {
    return typeof code === "string" && Object.hasOwn(errorTable, code);
}

function refusalOf(text: string): RefusalNote | undefined {
    try {
        const refusal: RefusalNote = JSON.parse(text);
        return refusal;
    } catch {
        return undefined;
    }
}
