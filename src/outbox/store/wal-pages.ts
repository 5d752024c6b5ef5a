const headerBytes = 32;
const frameHeaderBytes = 24;
const largestPage = 65_536;

/** What the journal of an SQLite file holds: the pages that were committed but are not in the file yet. */
export class WalPages {
    /** 0 where there is no journal. */
    readonly pageSize: number;
    readonly #wal: Buffer;
    /** Where the latest committed contents of each page begin. */
    readonly #pages = new Map<number, number>();

    constructor(wal: Buffer) {
        this.#wal = wal;
        const magic = wal.length >= headerBytes ? wal.readUInt32BE(0) : 0;
        const isValid = magic === 0x377f0682 || magic === 0x377f0683;
        const pageSize = isValid ? wal.readUInt32BE(8) : 0;
        this.pageSize = pageSize <= largestPage ? pageSize : 0;
        if (this.pageSize > 0) this.#readFrames(magic === 0x377f0683);
    }

    /** Undefined if the page is as in the file. */
    page(number: number): Buffer | undefined {
        const start = this.#pages.get(number);
        return start === undefined ? undefined : this.#wal.subarray(start, start + this.pageSize);
    }

    /** Frames count as far as their checksums are right, and up to the last commit: a journal is written over, and may end in mid-frame. */
    #readFrames(isBigEndian: boolean): void {
        const wal = this.#wal;
        const sum = new Checksum(isBigEndian);
        sum.add(wal.subarray(0, 24));
        const written: [number: number, start: number][] = [];
        const frameBytes = frameHeaderBytes + this.pageSize;
        for (let frame = headerBytes; frame + frameBytes <= wal.length; frame += frameBytes) {
            const start = frame + frameHeaderBytes;
            sum.add(wal.subarray(frame, frame + 8));
            sum.add(wal.subarray(start, start + this.pageSize));
            const isOfThisRound = wal.compare(wal, 16, 24, frame + 8, frame + 16) === 0;
            if (!isOfThisRound || !sum.is(wal.readUInt32BE(frame + 16), wal.readUInt32BE(frame + 20))) return;
            written.push([wal.readUInt32BE(frame), start]);
            if (wal.readUInt32BE(frame + 4) === 0) continue;
            for (const [number, at] of written.splice(0)) this.#pages.set(number, at);
        }
    }
}

/** SQLite's checksum of a journal. */
class Checksum {
    readonly #isBigEndian: boolean;
    #first = 0;
    #second = 0;

    constructor(isBigEndian: boolean) {
        this.#isBigEndian = isBigEndian;
    }

    /** Adds pairs of words of 32 bits. */
    add(bytes: Buffer): void {
        for (let at = 0; at + 8 <= bytes.length; at += 8) {
            this.#first = (this.#first + this.#word(bytes, at) + this.#second) >>> 0;
            this.#second = (this.#second + this.#word(bytes, at + 4) + this.#first) >>> 0;
        }
    }

    is(first: number, second: number): boolean {
        return this.#first === first && this.#second === second;
    }

    #word(bytes: Buffer, at: number): number {
        return this.#isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    }
}
