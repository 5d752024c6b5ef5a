import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";

const sizeMb = 32;
const blockBytes = 4096;

/** A file system of a few megabytes in memory, on a folder of the test, that can be full or read-only for everybody. */
export class SmallDisk {
    readonly #directory: string;
    readonly #filler: string;

    /** Only the administrator of a Linux machine may mount one. */
    static readonly isPossible = process.platform === "linux" && process.getuid?.() === 0;

    constructor(directory: string) {
        this.#directory = directory;
        this.#filler = path.join(directory, "filler");
        execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m,mode=700`, "tmpfs", directory]);
    }

    /** Takes up all the room that is left. */
    fill(): void {
        const file = openSync(this.#filler, "w");
        try {
            for (;;) writeSync(file, Buffer.alloc(blockBytes, 1));
        } catch (error) {
            if (!(error instanceof Error) || !("code" in error) || error.code !== "ENOSPC") throw error;
        } finally {
            closeSync(file);
        }
    }

    /** Gives the room back. */
    empty(): void {
        rmSync(this.#filler);
    }

    /** No file may be open for writing when it becomes read-only. */
    set isReadOnly(isReadOnly: boolean) {
        execFileSync("mount", ["-o", `remount,${isReadOnly ? "ro" : "rw"}`, this.#directory]);
    }

    unmount(): void {
        execFileSync("umount", [this.#directory]);
    }
}
