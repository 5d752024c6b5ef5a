/** A test for strings from a pattern in which `*` stands for any characters; everything else is literal. */
export function compilePattern(pattern: string): (value: string) => boolean {
    const source = pattern
        .split("*")
        .map((literal) => literal.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
        .join(".*");
    const expression = new RegExp(`^${source}$`, "su");
    return (value) => expression.test(value);
}
