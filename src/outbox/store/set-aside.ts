import { existsSync, readdirSync, renameSync } from "node:fs";
import path from "node:path";

/**
 * Renames a damaged file and its journals, so that a new one can be made; returns the new path. The file goes first: if the process ends in
 * between, the journals follow when the file is opened next.
 */
export function setAside(file: string, nowMs: number): string {
    const target = `${file}.corrupt-${new Date(nowMs).toISOString().replaceAll(":", "-")}`;
    renameSync(file, target);
    moveJournals(file, target);
    return target;
}

/** Journals without their file belong to the one that was set aside last. A new file would drop the events in them. */
export function finishSettingAside(file: string): void {
    if (existsSync(file) || !existsSync(`${file}-wal`)) return;
    const directory = path.dirname(file);
    const prefix = `${path.basename(file)}.corrupt-`;
    const aside = readdirSync(directory).filter((name) => name.startsWith(prefix) && !/-(wal|shm)$/.test(name));
    moveJournals(file, path.join(directory, aside.sort().at(-1) ?? `${prefix}without-file`));
}

function moveJournals(file: string, target: string): void {
    for (const suffix of ["-wal", "-shm"]) if (existsSync(file + suffix)) renameSync(file + suffix, target + suffix);
}
