import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** A link to another place in this repository. */
export interface MarkdownLink {
    /** The path as the document writes it; empty for a place in the same document. */
    readonly file: string;
    /** The heading behind `#`. */
    readonly anchor: string | undefined;
}

/** A Markdown text without its code: neither fenced blocks nor code spans are read for links or prose. */
export function withoutCode(markdown: string): string {
    return markdown.replace(/^```[\s\S]*?^```$/gm, "").replace(/`[^`\n]*`/g, "`code`");
}

/** The links and pictures of a Markdown text that lead to a place in this repository. */
export function linksOf(markdown: string): MarkdownLink[] {
    return [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = ""]) => target)
        .filter((target) => !/^[a-z]+:/.test(target))
        .map((target) => {
            const [file = "", anchor] = target.split("#");
            return { file, anchor };
        });
}

/** A link of one document, resolved. */
export interface DocumentLink {
    readonly document: string;
    /** The file that it leads to: the document itself for a link within it. */
    readonly target: string;
    readonly anchor: string | undefined;
}

/** The links of documents to places in the same folder; all paths are relative to that folder. */
export function documentLinks(folder: string, documents: readonly string[]): DocumentLink[] {
    return documents.flatMap((document) =>
        linksOf(readFileSync(path.join(folder, document), "utf8")).map(({ file, anchor }) => ({
            document,
            target: file === "" ? document : path.join(path.dirname(document), file),
            anchor,
        })),
    );
}

/** Those of the links that lead to no file, or to a heading that their target does not have. */
export function brokenLinks(folder: string, links: readonly DocumentLink[]): DocumentLink[] {
    return links.filter(({ target, anchor }) => {
        const file = path.join(folder, target);
        if (target.startsWith("..") || !existsSync(file)) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).includes(anchor);
    });
}

/** The anchors of a Markdown text's headings, as GitHub makes them: a repeated heading gets a number. */
export function anchorsOf(markdown: string): string[] {
    const seen = new Map<string, number>();
    return [...markdown.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => {
        const slug = heading
            .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
            .trim()
            .toLowerCase()
            .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
            .replace(/ /g, "-");
        const count = seen.get(slug) ?? 0;
        seen.set(slug, count + 1);
        return count === 0 ? slug : `${slug}-${count}`;
    });
}

/** The sentences of a Markdown text's paragraphs and lists. Headings, tables, code and measured results are left out; a link is its text. */
export function sentencesOf(markdown: string): string[] {
    const prose = withoutCode(markdown.replace(/<!-- measured[\s\S]*?<!-- end -->/g, ""))
        .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replace(/^(#|\|).*$/gm, "")
        // Each item of a list is a paragraph.
        .replace(/^\s*([-*]|\d+\.) /gm, "\n");
    return prose
        .split(/\n\s*\n/)
        .flatMap((paragraph) => paragraph.replace(/\s+/g, " ").split(/(?<=[.!?]\S{0,2}) (?=["(*`]*[A-Z`])/))
        .map((sentence) => sentence.trim())
        .filter((sentence) => sentence !== "");
}

/** The number of words in a sentence: a code span counts as one, a dash as none. */
export function wordsIn(sentence: string): number {
    return sentence.split(" ").filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
