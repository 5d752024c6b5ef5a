import { type FileHandle, open, readFile } from "node:fs/promises";
import { applicationId } from "./sqlite-schema";
import { WalPages } from "./wal-pages";

const headerBytes = 100;
const interiorTable = 0x05;
const leafTable = 0x0d;
/** More pages than a schema has: a damaged file may lead in a circle. */
const maxPages = 100;

/**
 * The number of events in an outbox file, for a Node.js that has no SQLite or cannot open the file; undefined where it cannot be found out. It
 * reads the few pages of the table that keeps the total, and the journal of a process that was killed.
 */
export async function countStoredEvents(file: string): Promise<number | undefined> {
    let handle: FileHandle | undefined;
    try {
        handle = await open(file);
        const wal = await readFile(`${file}-wal`).catch(() => Buffer.alloc(0));
        return await new EventCount(handle, wal).read();
    } catch {
        return undefined;
    } finally {
        await handle?.close();
    }
}

/** One look into a file, as far as this needs SQLite's format. */
class EventCount {
    readonly #handle: FileHandle;
    readonly #wal: WalPages;
    #pageSize = 0;
    #pagesRead = 0;

    constructor(handle: FileHandle, wal: Buffer) {
        this.#handle = handle;
        this.#wal = new WalPages(wal);
    }

    async read(): Promise<number | undefined> {
        const header = await this.#bytes(0, headerBytes);
        const size = header.toString("latin1", 0, 15) === "SQLite format 3" ? header.readUInt16BE(16) : 0;
        this.#pageSize = this.#wal.pageSize || (size === 1 ? 65_536 : size);
        if (this.#pageSize === 0 || (await this.#page(1)).readUInt32BE(68) !== applicationId) return undefined;
        const table = await this.#find(1, ([type, name]) => type === "table" && name === "total");
        const root = table?.[3];
        const total = typeof root === "number" ? await this.#find(root, () => true) : undefined;
        return typeof total?.[0] === "number" ? total[0] : undefined;
    }

    /** The first row of a table that fits. */
    async #find(root: number, fits: (row: readonly Value[]) => boolean): Promise<readonly Value[] | undefined> {
        const page = await this.#page(root);
        const start = root === 1 ? headerBytes : 0;
        const kind = page[start];
        const cells = page.readUInt16BE(start + 3);
        if (kind !== interiorTable && kind !== leafTable) return undefined;
        const pointers = start + (kind === interiorTable ? 12 : 8);
        for (let index = 0; index < cells; index++) {
            const cell = page.readUInt16BE(pointers + 2 * index);
            const found = kind === leafTable ? rowAt(page, cell) : await this.#find(page.readUInt32BE(cell), fits);
            if (found && (kind === interiorTable || fits(found))) return found;
        }
        return kind === interiorTable ? await this.#find(page.readUInt32BE(start + 8), fits) : undefined;
    }

    /** The latest committed contents of a page. */
    async #page(number: number): Promise<Buffer> {
        this.#pagesRead += 1;
        if (this.#pagesRead > maxPages) throw new RangeError();
        return this.#wal.page(number) ?? (await this.#bytes((number - 1) * this.#pageSize, this.#pageSize));
    }

    async #bytes(position: number, length: number): Promise<Buffer> {
        const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(length), 0, length, position);
        if (bytesRead < length) throw new RangeError();
        return buffer;
    }
}

type Value = number | string | undefined;

/** The first columns of a row, as far as they are numbers and texts on this page. */
function rowAt(page: Buffer, cell: number): Value[] {
    const payload = varintAt(page, varintAt(page, cell).end).end;
    const header = varintAt(page, payload);
    const headerEnd = payload + header.value;
    const values: Value[] = [];
    let at = headerEnd;
    for (let next = header.end; next < headerEnd; ) {
        const type = varintAt(page, next);
        const length = lengthOf(type.value);
        if (at + length > page.length) break;
        values.push(columnValue(type.value, page.subarray(at, at + length)));
        at += length;
        next = type.end;
    }
    return values;
}

const integerLengths = [0, 1, 2, 3, 4, 6, 8];

function lengthOf(type: number): number {
    if (type >= 12) return Math.floor((type - 12) / 2);
    return type === 7 ? 8 : (integerLengths[type] ?? 0);
}

function columnValue(type: number, bytes: Buffer): Value {
    if (type === 8 || type === 9) return type - 8;
    if (type === 7) return bytes.readDoubleBE();
    if (type >= 1 && type <= 5) return bytes.readIntBE(0, bytes.length);
    if (type === 6) return Number(bytes.readBigInt64BE());
    return type >= 13 && type % 2 === 1 ? bytes.toString() : undefined;
}

function varintAt(page: Buffer, start: number): { value: number; end: number } {
    let value = 0;
    for (let index = 0; index < 8; index++) {
        const byte = page.readUInt8(start + index);
        value = value * 128 + (byte & 0x7f);
        if (byte < 0x80) return { value, end: start + index + 1 };
    }
    return { value: value * 256 + page.readUInt8(start + 8), end: start + 9 };
}
