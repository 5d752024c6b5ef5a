/** One line of a chart. */
export interface Series {
    readonly name: string;
    readonly points: readonly (readonly [x: number, y: number])[];
}

/** What a chart shows; both axes are logarithmic, so that a cost that does not grow is a level line. */
export interface Chart {
    readonly title: string;
    readonly xLabel: string;
    readonly yLabel: string;
    readonly series: readonly Series[];
}

const width = 720;
const height = 400;
const plot = { left: 70, right: 520, top: 50, bottom: 345 };

/** Readable on a light and on a dark page; the lines differ by dashes too, for those who do not tell the colours apart. */
const style = `
text { font: 13px sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: bold; }
.grid { stroke: #8c959f; stroke-opacity: 0.35; }
polyline { fill: none; stroke-width: 2.5; }
.s0 { stroke: #0969da; } circle.s0, text.s0 { fill: #0969da; stroke: none; }
.s1 { stroke: #bc4c00; stroke-dasharray: 8 4; } circle.s1, text.s1 { fill: #bc4c00; stroke: none; }
.s2 { stroke: #1a7f37; stroke-dasharray: 2 4; } circle.s2, text.s2 { fill: #1a7f37; stroke: none; }
.s3 { stroke: #8250df; stroke-dasharray: 12 4 2 4; } circle.s3, text.s3 { fill: #8250df; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .s0 { stroke: #58a6ff; } circle.s0, text.s0 { fill: #58a6ff; }
  .s1 { stroke: #f0883e; } circle.s1, text.s1 { fill: #f0883e; }
  .s2 { stroke: #56d364; } circle.s2, text.s2 { fill: #56d364; }
  .s3 { stroke: #bc8cff; } circle.s3, text.s3 { fill: #bc8cff; }
}`;

/** Draws a chart as SVG. */
export function drawChart({ title, xLabel, yLabel, series }: Chart): string {
    const points = series.flatMap((one) => one.points);
    const x = axis(
        points.map(([value]) => value),
        plot.left,
        plot.right,
    );
    const y = axis(
        points.map(([, value]) => value),
        plot.bottom,
        plot.top,
    );
    const middle = (plot.left + plot.right) / 2;
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">`,
        `<style>${style}\n</style>`,
        text(title, middle, 25, 'class="title" text-anchor="middle"'),
        text(xLabel, middle, height - 10, 'text-anchor="middle"'),
        text(yLabel, 18, height / 2, `text-anchor="middle" transform="rotate(-90 18 ${height / 2})"`),
        ...x.ticks.flatMap((value) => [
            line(x.place(value), plot.top, x.place(value), plot.bottom),
            text(tickLabel(value), x.place(value), plot.bottom + 20, 'text-anchor="middle"'),
        ]),
        ...y.ticks.flatMap((value) => [
            line(plot.left, y.place(value), plot.right, y.place(value)),
            text(tickLabel(value), plot.left - 8, y.place(value) + 4, 'text-anchor="end"'),
        ]),
        ...series.flatMap((one, index) => drawSeries(one, index, x.place, y.place)),
        ...placeLabels(series, y.place).map(({ name, at, index }) => text(name, plot.right + 12, at + 4, `class="s${index}"`)),
        "</svg>\n",
    ].join("\n");
}

function drawSeries({ points }: Series, index: number, x: Place, y: Place): string[] {
    const places = points.map(([valueX, valueY]) => ({ x: x(valueX), y: y(valueY) }));
    return [
        `<polyline class="s${index}" points="${places.map((at) => `${rounded(at.x)},${rounded(at.y)}`).join(" ")}"/>`,
        ...places.map((at) => `<circle class="s${index}" cx="${rounded(at.x)}" cy="${rounded(at.y)}" r="3.5"/>`),
    ];
}

/** The name of each line beside its end, moved down where two would overlap. */
function placeLabels(series: readonly Series[], y: Place): { name: string; at: number; index: number }[] {
    const labels = series.map(({ name, points }, index) => ({ name, index, at: y(points.at(-1)?.[1] ?? 1) }));
    labels.sort((one, other) => one.at - other.at);
    let free = 0;
    for (const label of labels) {
        label.at = Math.max(label.at, free);
        free = label.at + 17;
    }
    return labels;
}

type Place = (value: number) => number;

/** A logarithmic axis over whole powers of ten that hold all values. */
function axis(values: readonly number[], from: number, to: number): { place: Place; ticks: number[] } {
    const lowest = Math.floor(Math.log10(Math.min(...values)));
    const highest = Math.max(Math.ceil(Math.log10(Math.max(...values))), lowest + 1);
    const place = (value: number) => from + ((Math.log10(value) - lowest) / (highest - lowest)) * (to - from);
    return { place, ticks: Array.from({ length: highest - lowest + 1 }, (_, index) => 10 ** (lowest + index)) };
}

function tickLabel(value: number): string {
    return value >= 1 ? String(value).replace(/\B(?=(\d{3})+$)/g, " ") : String(value);
}

function line(fromX: number, fromY: number, toX: number, toY: number): string {
    return `<line class="grid" x1="${rounded(fromX)}" y1="${rounded(fromY)}" x2="${rounded(toX)}" y2="${rounded(toY)}"/>`;
}

function text(content: string, x: number, y: number, attributes: string): string {
    return `<text x="${rounded(x)}" y="${rounded(y)}" ${attributes}>${content}</text>`;
}

function rounded(value: number): string {
    return String(Math.round(value * 10) / 10);
}
