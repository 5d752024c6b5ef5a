import assert from "node:assert/strict";

/** A sample of the text format. */
interface Sample {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
}

/** What a scraper makes of one metric: its type and its samples. */
export interface MetricFamily {
    readonly type: string;
    readonly samples: Sample[];
}

const name = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const helpLine = new RegExp(`^# HELP (${name}) (\\S.*)$`);
const typeLine = new RegExp(`^# TYPE (${name}) (counter|gauge|histogram)$`);
const sampleLine = new RegExp(`^(${name})(?:\\{(${label}(?:,${label})*)\\})? ([+-]?(?:\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|Inf|NaN))$`);

/**
 * Reads the text format of Prometheus (version 0.0.4) more strictly than a scraper does: fails where something is not as the format
 * and its naming conventions say.
 */
export function readPrometheusText(text: string): ReadonlyMap<string, MetricFamily> {
    assert.ok(text === "" || text.endsWith("\n"), "the last line has no end");
    const families = new Map<string, MetricFamily>();
    let helped = "";
    let current: { family: string; samples: Sample[]; type: string } | undefined;
    const seen = new Set<string>();
    for (const line of text.split("\n").filter((each) => each !== "")) {
        if (line.startsWith("# HELP ")) {
            helped = helpLine.exec(line)?.[1] ?? assert.fail(`not a HELP line: ${line}`);
            assert.ok(!families.has(helped), `${helped} comes twice`);
            continue;
        }
        if (line.startsWith("#")) {
            const [, family = "", type = ""] = typeLine.exec(line) ?? assert.fail(`not a TYPE line: ${line}`);
            assert.equal(family, helped, "TYPE follows the HELP of the same metric");
            current = { family, type, samples: [] };
            families.set(family, current);
            continue;
        }
        const [, sampleName = "", labels = "", value = ""] = sampleLine.exec(line) ?? assert.fail(`not a sample: ${line}`);
        assert.ok(current, `a sample before any TYPE: ${line}`);
        const suffixes = current.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
        assert.ok(
            suffixes.some((suffix) => sampleName === `${current?.family}${suffix}`),
            `${sampleName} among the samples of ${current.family}`,
        );
        const series = `${sampleName}{${labels.match(new RegExp(label, "g"))?.sort().join(",") ?? ""}}`;
        assert.ok(!seen.has(series), `twice: ${series}`);
        seen.add(series);
        current.samples.push({ name: sampleName, labels: readLabels(labels), value: Number(value.replace("Inf", "Infinity")) });
    }
    for (const [family, { type, samples }] of families) {
        assert.equal(family.endsWith("_total"), type === "counter", `${family} is a ${type}`);
        assert.doesNotMatch(family, /_(?:ms|milliseconds|minutes|hours|kb|mb|count|sum|bucket)$/, "base units, no reserved suffix");
        if (type === "histogram") checkHistogram(family, samples);
        if (type === "counter") for (const { value } of samples) assert.ok(value >= 0 && Number.isFinite(value), family);
    }
    return families;
}

function readLabels(labels: string): Record<string, string> {
    const pairs = [...labels.matchAll(new RegExp(label, "g"))].map(([pair]) => {
        const at = pair.indexOf("=");
        return [pair.slice(0, at), pair.slice(at + 2, -1)] as const;
    });
    assert.equal(new Set(pairs.map(([key]) => key)).size, pairs.length, `a label twice: ${labels}`);
    return Object.fromEntries(pairs);
}

/** For each set of labels: ascending bounds up to +Inf, counts that never fall, the last one the count of all. */
function checkHistogram(family: string, samples: readonly Sample[]): void {
    const series = new Map<string, Sample[]>();
    for (const sample of samples) {
        const { le: _bound, ...others } = sample.labels;
        const key = JSON.stringify(others);
        series.set(key, [...(series.get(key) ?? []), sample]);
    }
    for (const [key, parts] of series) {
        const buckets = parts.filter(({ name: part }) => part === `${family}_bucket`);
        const bounds = buckets.map(({ labels: { le } }) => Number(le?.replace("Inf", "Infinity")));
        assert.ok(bounds.length > 1 && bounds.at(-1) === Number.POSITIVE_INFINITY, `${family}${key} has no bucket +Inf`);
        for (const values of [bounds, buckets.map(({ value }) => value)])
            values.forEach((value, index) => {
                assert.ok(index === 0 || value >= (values[index - 1] ?? 0), `${family}${key} falls`);
            });
        assert.equal(new Set(bounds).size, bounds.length);
        const one = (part: string) => parts.filter((sample) => sample.name === `${family}_${part}`);
        assert.deepEqual([one("count").length, one("sum").length], [1, 1], `${family}${key}`);
        assert.equal(one("count")[0]?.value, buckets.at(-1)?.value);
    }
}
