import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

const guide = readFileSync("CONTRIBUTING.md", "utf8");

/** A place in the code that the guide names. */
interface Place {
    readonly file: string;
    readonly symbol: string;
}

/** The text of the guide below a heading, up to the next one of the same or a higher level. */
function section(heading: string): string {
    const level = heading.indexOf(" ");
    const start = guide.indexOf(`\n${heading}\n`);
    assert.ok(start >= 0, `the guide has a section "${heading}"`);
    const rest = guide.slice(start + heading.length + 2);
    const end = rest.search(new RegExp(`^#{1,${level}} `, "m"));
    return end < 0 ? rest : rest.slice(0, end);
}

/** The steps of a numbered list: each begins with a file and a function. */
function steps(heading: string): Place[] {
    return [...section(heading).matchAll(/^\d+\. `([^`]+)` `([^`]+)`/gm)].map(([, file = "", symbol = ""]) => ({ file, symbol }));
}

/** The source of a function, a method or a class in a file, from its name to the brace that ends it; undefined when there is none. */
function sourceOf({ file, symbol }: Place): string | undefined {
    const text = readFileSync(file, "utf8");
    const name = symbol.replace(/[#$]/g, "\\$&");
    const head = `^ *(?:export )?(?:default )?(?:static |readonly |async |get |abstract )*(?:function |class |const )?`;
    const definition = new RegExp(`${head}${name}(?:\\(|:| (?:=|extends|implements|\\{)).*$`, "m").exec(text);
    if (!definition) return undefined;
    const lines = text.slice(definition.index).split("\n");
    const indent = /^ */.exec(lines[0] ?? "")?.[0] ?? "";
    const isOneLine = /[;,]$/.test(lines[0] ?? "");
    const end = isOneLine ? 0 : lines.findIndex((line, index) => index > 0 && new RegExp(`^${indent}[})\\]]`).test(line));
    return lines.slice(0, end + 1).join("\n");
}

/** The source of a function, and of the private functions of its class that it leads to. */
function sourceWithHelpers({ file, symbol }: Place): string | undefined {
    const sources = new Map<string, string>();
    const waiting = [symbol];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        const source = sourceOf({ file, symbol: name });
        if (source === undefined || sources.has(name)) continue;
        sources.set(name, source);
        waiting.push(...[...source.matchAll(/this\.(#\w+)\(/g)].map(([, helper = ""]) => helper));
    }
    return sources.size > 0 ? [...sources.values()].join("\n") : undefined;
}

describe("the contributing guide", () => {
    for (const [heading, maxSteps] of [
        ["### From a message to the socket", 9],
        ["### From the socket to a message", 8],
    ] as const) {
        it(`lists the functions of "${heading.slice(4)}", each called by the one before it, in at most ${maxSteps} steps`, () => {
            const places = steps(heading);
            assert.ok(places.length > 4 && places.length <= maxSteps, `${places.length} steps`);
            for (const [index, place] of places.entries()) {
                const source = sourceWithHelpers(place);
                assert.ok(source, `${place.file} has ${place.symbol}`);
                const next = places[index + 1];
                if (!next) continue;
                const called = next.symbol.replace(/[#$]/g, "\\$&");
                assert.match(source, new RegExp(`(^|[^\\w#])${called}\\(`, "m"), `${place.symbol} calls ${next.symbol}`);
            }
        });
    }

    it("answers where something is decided with files and symbols that exist", () => {
        const rows = [...section("## Where is it decided that …").matchAll(/^\| ([^|`]+) \| `([^`]+)` \| `([^`]+)` \|$/gm)];
        assert.ok(rows.length >= 12, `${rows.length} questions`);
        for (const [, question = "", file = "", symbol = ""] of rows) {
            assert.ok(existsSync(file), `${question}: ${file}`);
            assert.ok(sourceOf({ file, symbol }), `${question}: ${symbol} in ${file}`);
        }
    });
});
