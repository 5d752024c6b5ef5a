import type { SqlValue } from "node:sqlite";
import type { OutboxEvent } from "../event";
import { eventColumns } from "./sqlite-messages";

const encoder = new TextEncoder();

/**
 * Events as flat rows. Payloads of bytes are copied: sending a slice to another thread would take its whole pool along. Text with a zero byte
 * goes as bytes, because Node.js 22 reads text from SQLite only up to there.
 */
export function rowsFromEvents(events: readonly OutboxEvent[]): SqlValue[] {
    const values: SqlValue[] = [];
    for (const event of events) {
        const { seq, device, topic, payload, bytes, qos, createdAt, expiresAt, message } = event;
        const stored = typeof payload !== "string" ? new Uint8Array(payload) : payload.includes("\0") ? encoder.encode(payload) : payload;
        values.push(seq, device, topic, stored, bytes, qos, Math.round(createdAt), Math.round(expiresAt));
        values.push(message.messageId, message.nodeId, message.eventId);
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
            topic: text(values[index + 2]),
            payload: payload(values[index + 3]),
            bytes: number(values[index + 4]),
            qos: values[index + 5] === 2 ? 2 : 1,
            createdAt: number(values[index + 6]),
            expiresAt: number(values[index + 7]),
            message: { messageId: text(values[index + 8]), nodeId: text(values[index + 9]), eventId: text(values[index + 10]) },
        });
    }
    return events;
}

function payload(value: SqlValue | undefined): string | Buffer {
    if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return text(value);
}

function text(value: SqlValue | undefined): string {
    return typeof value === "string" ? value : "";
}

function number(value: SqlValue | undefined): number {
    return typeof value === "number" ? value : 0;
}
