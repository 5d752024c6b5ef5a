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
