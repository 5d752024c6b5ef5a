import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { environment } from "./environment";
import type { Spread } from "./statistics";

/** How much is measured. */
export interface Extent {
    /** A few minutes less: fewer rows and rounds; the documents stay as they are. */
    readonly quick: boolean;
    readonly rounds: number;
    /** How many messages one measurement takes where a full one takes `full`. */
    messages(full: number): number;
    /** The value of an option of the command line, `--name=value`. */
    option(name: string): string | undefined;
}

/** One part of the results, as Markdown. */
export interface Section {
    /** The name of its place in the document. */
    readonly name: string;
    readonly text: string;
    /** The document it belongs to, in `docs/`. */
    readonly document?: string;
    /** Pictures as SVG, by their names in `docs/images/`. */
    readonly pictures?: Readonly<Record<string, string>>;
}

/** Prints a section and, after a full run, writes it to its place in its document, `docs/performance.md` unless it names another. */
export function publishSection({ name, text, document: file = "performance.md", pictures = {} }: Section, { quick }: Extent): void {
    const document = path.join(process.cwd(), "docs", file);
    console.log(`\n## ${name}\n\n${text}\n`);
    if (quick || !existsSync(document)) return;
    const begin = `<!-- measured: ${name} -->`;
    const end = "<!-- end -->";
    const before = readFileSync(document, "utf8");
    const from = before.indexOf(begin);
    const to = before.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`${document} has no place for ${name}`);
    const note = `*${environment()}; ${new Date().toISOString().slice(0, 10)}.*`;
    const images = path.join(process.cwd(), "docs", "images");
    mkdirSync(images, { recursive: true });
    for (const [picture, svg] of Object.entries(pictures)) writeFileSync(path.join(images, picture), svg);
    writeFileSync(document, `${before.slice(0, from)}${begin}\n${text}\n\n${note}\n${before.slice(to)}`);
}

/** A Markdown table. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
    const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
    return [line(headings), line(headings.map((_, column) => (column === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n");
}

/** A spread in so many decimals: the median and, in brackets, the range. */
export function shown({ median, min, max }: Spread, decimals = 1): string {
    return `${median.toFixed(decimals)} (${min.toFixed(decimals)}–${max.toFixed(decimals)})`;
}

/** A factor, as `0.61 ×`. */
export function factor(value: number): string {
    return `${value.toFixed(2)} ×`;
}

/** Whether a factor that should be no larger than a target is. */
export function judged(what: string, measured: number, target: number): string {
    const verdict = measured <= target ? "reached" : "**missed**";
    return `* ${what}: ${factor(measured)}, target at most ${factor(target)}: ${verdict}.`;
}
