import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const sizeMb = 32;
const blockBytes = 4096;

/** A file system of a few megabytes in memory, on a folder of the test, that can be full or read-only for everybody. */
export class SmallDisk {
    static #isPossible: boolean | undefined;
    readonly #directory: string;
    readonly #filler: string;

    constructor(directory: string) {
        this.#directory = directory;
        this.#filler = path.join(directory, "filler");
        execFileSync("mount", mountOptions(directory));
    }

    /** Whether one may be mounted here: as the administrator of a Linux machine, and not in every container. */
    static isPossible(): boolean {
        SmallDisk.#isPossible ??= canMount();
        return SmallDisk.#isPossible;
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

function mountOptions(directory: string): string[] {
    return ["-t", "tmpfs", "-o", `size=${sizeMb}m,mode=700`, "tmpfs", directory];
}

function canMount(): boolean {
    const directory = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-mount-"));
    const isMounted = spawnSync("mount", mountOptions(directory)).status === 0;
    if (isMounted) execFileSync("umount", [directory]);
    rmSync(directory, { recursive: true });
    return isMounted;
}
