import type { SqlValue } from "node:sqlite";
import type { FileTime } from "../age-clock";
import { type EventEncoding, type OutboxEvent, type Priority, plainEncoding, priorities } from "../event";
import type {
    DeviceTotal,
    ExpiredCursor,
    KeptPage,
    KeptPlace,
    KeptSelection,
    StoredLatest,
    UndeliveredLimits,
    UndeliveredOutcome,
    UndeliveredTotals,
} from "./store";

/**
 * How a file failed: what decides whether to wait, to try again or to set the file aside. It crosses the thread boundary without words,
 * because the thread does not know the user's language; `error` is what SQLite or the operating system said.
 */
export type StoreFailure =
    | { readonly kind: "locked" | "full" | "corrupt" | "unusable"; readonly error: string }
    /** The file is intact but not for us. */
    | { readonly kind: "newer"; readonly fileVersion: number; readonly knownVersion: number }
    | { readonly kind: "foreign" }
    /** Other events than this store object wrote have its numbers: nothing is known of what the file holds. */
    | { readonly kind: "conflict" }
    | { readonly kind: "notOpen" }
    /** A damaged file was set aside under this name, and a new one is in its place. */
    | { readonly kind: "replaced"; readonly setAside: string }
    /** The disk has not answered for so long. */
    | { readonly kind: "silent"; readonly seconds: number }
    /** No thread could be started. */
    | { readonly kind: "noThread"; readonly error: string }
    /** The thread ended. */
    | { readonly kind: "crashed"; readonly error?: string };

/** Asks of the worker. Rows are flat arrays: they cross the thread boundary much faster than objects. */
export type WorkerRequest =
    | {
          readonly id: number;
          readonly kind: "open";
          readonly path: string;
          /** Names the store object: events that it wrote carry this number. */
          readonly run: number;
          /** Names this opening, to recognise a file that somebody else has used since. */
          readonly owner: string;
          /** The last opening whose success was reported. */
          readonly continues: string | undefined;
      }
    | { readonly id: number; readonly kind: "close" }
    | { readonly id: number; readonly kind: "probe" }
    | { readonly id: number; readonly kind: "shrink" }
    | {
          readonly id: number;
          readonly kind: "commit";
          readonly events: SqlValue[];
          readonly removals: readonly number[];
          readonly states: SqlValue[];
          /** Empty: the file keeps the note that it has. */
          readonly clockNote: string;
          readonly undelivered?: UndeliveredRequest | undefined;
      }
    | {
          readonly id: number;
          readonly kind: "readUndelivered";
          readonly after: number;
          readonly maxEvents: number;
          readonly maxBytes: number;
      }
    | { readonly id: number; readonly kind: "listUndelivered"; readonly selection: KeptSelection; readonly place: KeptPlace }
    | {
          readonly id: number;
          readonly kind: "readKept";
          readonly selection: KeptSelection;
          readonly after: number;
          readonly maxEvents: number;
          readonly maxBytes: number;
      }
    | {
          readonly id: number;
          readonly kind: "read";
          readonly priority: number;
          readonly after: number;
          readonly upTo: number;
          readonly device: string | undefined;
          readonly maxEvents: number;
          readonly maxBytes: number;
      }
    | { readonly id: number; readonly kind: "readLatest"; readonly after: number; readonly maxRows: number }
    | { readonly id: number; readonly kind: "readDevices"; readonly after: DeviceCursor; readonly maxRows: number }
    | {
          readonly id: number;
          readonly kind: "readExpired";
          readonly atMs: number;
          readonly after: ExpiredCursor;
          readonly maxEvents: number;
      }
    | { readonly id: number; readonly kind: "shiftTimes"; readonly afterSeq: number; readonly byMs: number; readonly clockNote: string };

/** Asks to open a file. */
export type OpenRequest = Extract<WorkerRequest, { kind: "open" }>;

/** A request as a thread gets it: about one of its files. */
export type FileRequest = WorkerRequest & { readonly file: number };

/** The worker's answers; `values` and `states` are flat rows, `contents` comes with `open`. */
export interface WorkerResponse {
    readonly id: number;
    readonly failure?: StoreFailure;
    /** The file was closed because of the failure. */
    readonly isClosed?: boolean;
    readonly values?: SqlValue[];
    readonly isComplete?: boolean;
    readonly next?: number | undefined;
    /** When the oldest event entered the outbox, after what may have changed that; undefined when there is no event. */
    readonly oldestCreatedAt?: number | undefined;
    readonly contents?: OpenedContents;
    /** Comes with `listUndelivered`. */
    readonly kept?: KeptPage;
    /** Comes with `commit`, if that changed undelivered events. */
    readonly undelivered?: UndeliveredOutcome | undefined;
}

/** What a commit changes of the undelivered events. */
export interface UndeliveredRequest {
    /** Flat rows. */
    readonly added: SqlValue[];
    readonly caught: readonly number[];
    readonly uncaught: readonly number[];
    readonly removed: readonly number[];
    readonly raisedUpTo: number;
    readonly limits: UndeliveredLimits;
}

/** What the worker found when it opened the file. */
export interface OpenedContents {
    readonly lastSeq: number;
    readonly events: number;
    readonly bytes: number;
    readonly isContinued: boolean;
    readonly time: FileTime;
    readonly oldestCreatedAt: number | undefined;
    readonly undelivered: UndeliveredTotals;
    readonly states: SqlValue[];
    /** Where the former file is now, if it could not be read. */
    readonly setAside: string | undefined;
}

/** The last row read of what each device has in the file. */
export interface DeviceCursor {
    readonly device: string;
    readonly priority: number;
}

/** The columns of what a device has of one priority in the file. */
export const deviceColumns = ["device", "priority", "events", "bytes", "last_seq"] as const;

/** The columns of what is asked for of an event that newer ones supersede. */
export const latestColumns = ["seq", "device", "priority", "bytes", "node_id", "event_id"] as const;

/** The columns of an event, in the order in which flat rows hold them. */
export const eventColumns = [
    "seq",
    "device",
    "priority",
    "topic",
    "payload",
    "bytes",
    "qos",
    "created_at",
    "expires_at",
    "message_id",
    "node_id",
    "event_id",
    "format",
    "encoding",
    "time_field",
    "returns",
    "latest",
] as const;

/** The columns of a state; a value of null in a request removes it. */
export const stateColumns = ["kind", "key", "value"] as const;

const encoder = new TextEncoder();
/** Bits of the column `encoding`: the payload was wrapped; it is text, although it may be stored as bytes. */
const wrapFlag = 1;
const textFlag = 2;

/**
 * Events as flat rows. Payloads of bytes are copied: sending a slice to another thread would take its whole pool along. Text with a zero byte
 * goes as bytes, because Node.js 22 reads text from SQLite only up to there.
 */
export function rowsFromEvents(events: readonly OutboxEvent[]): SqlValue[] {
    const values: SqlValue[] = [];
    for (const event of events) {
        const { seq, device, priority, isLatest, topic, payload, bytes, qos, createdAt, expiresAt, message } = event;
        const stored = typeof payload !== "string" ? new Uint8Array(payload) : payload.includes("\0") ? encoder.encode(payload) : payload;
        values.push(seq, device, priorities.indexOf(priority), topic, stored, bytes, qos, Math.round(createdAt), Math.round(expiresAt));
        values.push(message.messageId, message.nodeId, message.eventId);
        const { format, wrap, timestampField } = event.encoding;
        const flags = (wrap ? wrapFlag : 0) | (typeof payload === "string" ? textFlag : 0);
        values.push(format, flags, timestampField, event.returns, isLatest ? 1 : 0);
    }
    return values;
}

/** Events from flat rows; text comes back as text and bytes as a Buffer. */
export function eventsFromRows(values: readonly SqlValue[]): OutboxEvent[] {
    const events: OutboxEvent[] = [];
    for (let index = 0; index < values.length; index += eventColumns.length) {
        events.push({
            seq: number(values[index]),
            device: text(values[index + 1]),
            priority: priority(values[index + 2]),
            topic: text(values[index + 3]),
            payload: payload(values[index + 4], number(values[index + 13])),
            bytes: number(values[index + 5]),
            qos: values[index + 6] === 2 ? 2 : 1,
            createdAt: number(values[index + 7]),
            expiresAt: number(values[index + 8]),
            message: { messageId: text(values[index + 9]), nodeId: text(values[index + 10]), eventId: text(values[index + 11]) },
            encoding: encoding(values, index),
            returns: number(values[index + 15]),
            isLatest: values[index + 16] === 1,
        });
    }
    return events;
}

/** What each device has in the file, from flat rows. */
export function deviceTotalsFromRows(values: readonly SqlValue[]): DeviceTotal[] {
    const totals: DeviceTotal[] = [];
    for (let index = 0; index < values.length; index += deviceColumns.length) {
        totals.push({
            device: text(values[index]),
            priority: priority(values[index + 1]),
            events: number(values[index + 2]),
            bytes: number(values[index + 3]),
            lastSeq: number(values[index + 4]),
        });
    }
    return totals;
}

/** Events that newer ones supersede, from flat rows. */
export function latestFromRows(values: readonly SqlValue[]): StoredLatest[] {
    const events: StoredLatest[] = [];
    for (let index = 0; index < values.length; index += latestColumns.length) {
        events.push({
            seq: number(values[index]),
            device: text(values[index + 1]),
            priority: priority(values[index + 2]),
            bytes: number(values[index + 3]),
            message: { nodeId: text(values[index + 4]), eventId: text(values[index + 5]) },
        });
    }
    return events;
}

function priority(value: SqlValue | undefined): Priority {
    return priorities[number(value)] ?? "normal";
}

function payload(value: SqlValue | undefined, flags: number): string | Buffer {
    if (!(value instanceof Uint8Array)) return text(value);
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return flags & textFlag ? bytes.toString() : bytes;
}

/** Rows of earlier versions have no format: of theirs, all topics end with it. */
function encoding(values: readonly SqlValue[], index: number): EventEncoding {
    const format =
        text(values[index + 12]) ||
        text(values[index + 3])
            .split("/")
            .at(-1) ||
        "";
    const wrap = (number(values[index + 13]) & wrapFlag) !== 0;
    const timestampField = text(values[index + 14]);
    if (lastEncoding.format !== format || lastEncoding.wrap !== wrap || lastEncoding.timestampField !== timestampField) {
        lastEncoding = { format, wrap, timestampField };
    }
    return lastEncoding;
}

/** Most events of a file come from a few nodes, so they share it. */
let lastEncoding = plainEncoding;

function text(value: SqlValue | undefined): string {
    return typeof value === "string" ? value : "";
}

function number(value: SqlValue | undefined): number {
    return typeof value === "number" ? value : 0;
}

/** A request without its number, which the client gives. */
export type Ask<R = WorkerRequest> = R extends WorkerRequest ? Omit<R, "id"> : never;
