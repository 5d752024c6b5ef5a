import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";

/** Who an outbox file belongs to. */
export interface FileOwner {
    readonly orgId: string;
    readonly typeId: string;
    readonly deviceId: string;
}

/** Names stay within what file systems take, with room for the suffixes of journals and of files set aside. */
const longestReadable = 180;

/**
 * The file of one gateway identity. Different identities never share a file, also where file names do not distinguish case, and no
 * identity makes a name that Windows reserves: capitals become `=` and the small letter, whatever else is not plain becomes `%` and its
 * code, and the parts follow `gw` separated by `+`, which no id contains. The end of a very long name
 * becomes a hash.
 */
export function storeFileName(owner: FileOwner): string {
    const parts = [owner.orgId, owner.typeId, owner.deviceId].map(encodePart).join("+");
    if (parts.length <= longestReadable) return `gw+${parts}.sqlite`;
    const hash = createHash("sha256").update(parts).digest("hex").slice(0, 32);
    return `gw+${parts.slice(0, longestReadable - 33)}+${hash}.sqlite`;
}

/** Bytes that a file and its journal take up on the disk; 0 when there is none. */
export async function storeFileSize(file: string): Promise<number> {
    const sizes = await Promise.all(
        [file, `${file}-wal`].map((part) =>
            stat(part).then(
                (found) => found.size,
                () => 0,
            ),
        ),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
}

function encodePart(part: string): string {
    return part.replace(/[^a-z0-9_.-]/gu, (character) => {
        if (/[A-Z]/.test(character)) return `=${character.toLowerCase()}`;
        return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    });
}
