// The two small charts of the gateway panel. Each drawing reads the colours, so a change of theme shows immediately.
import { server } from "./server.mjs";
import { clock, element, shortNumber, text } from "./words.mjs";

const height = 84;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--red-ui-${name}`).trim();
const spans = [10, 60];

export class Charts {
    #library;
    #plots = [];
    #minutes = spans[0];
    #online = [];

    constructor() {
        this.content = element("div", "wiotp-panel-charts");
        this.#rates = this.#frame("rates", ["incoming", "outgoing"]);
        this.#queue = this.#frame("queue", ["waiting"]);
        this.#rates.querySelector("header").append(this.#spanSelect());
        this.#resizer = new ResizeObserver(() => this.#resize());
        this.#resizer.observe(this.content);
        // The editor switches its theme with a class.
        new MutationObserver(() => this.#redraw()).observe(document.documentElement, {
            attributeFilter: ["class"],
        });
    }

    #rates;
    #queue;
    #resizer;

    /** Draws the samples up to a point in time. */
    async draw(samples, now) {
        this.#library ??= await server.chartLibrary();
        if (this.#plots.length === 0 && this.content.clientWidth > 0) this.#create();
        const from = now - this.#minutes * 60_000;
        const [seconds, incoming, outgoing, waiting, online] = samples.columns(from);
        this.#online = online;
        const [rates, queue] = this.#plots;
        if (!rates) return;
        for (const [plot, data] of [
            [rates, [seconds, incoming, outgoing]],
            [queue, [seconds, waiting]],
        ]) {
            plot.setData(data, false);
            plot.setScale("x", { min: from / 1000, max: now / 1000 });
        }
    }

    #frame(name, series) {
        const frame = element("figure", `wiotp-panel-chart wiotp-panel-chart-${name}`);
        const header = element("header");
        const names = series.map((each) => text(`chart.${each}`));
        frame.setAttribute("aria-label", names.join(", "));
        for (const [index, each] of series.entries())
            header.append(element("span", `wiotp-panel-key wiotp-panel-key-${each}`, names[index]));
        frame.append(header);
        this.content.append(frame);
        return frame;
    }

    #spanSelect() {
        const select = element("select");
        select.setAttribute("aria-label", text("chart.span"));
        for (const minutes of spans) {
            const option = element("option", "", text("chart.minutes", { minutes }));
            option.value = String(minutes);
            select.append(option);
        }
        select.addEventListener("change", () => {
            this.#minutes = Number(select.value);
            this.onSpanChanged?.();
        });
        return select;
    }

    #create() {
        this.#plots = [
            this.#plot(this.#rates, [
                { stroke: () => colour("node-status-colors-blue"), width: 1.5 },
                { stroke: () => colour("node-status-colors-green"), width: 1.5 },
            ]),
            this.#plot(this.#queue, [
                {
                    stroke: () => colour("node-status-colors-yellow"),
                    fill: () => `color-mix(in srgb, ${colour("node-status-colors-yellow")} 25%, transparent)`,
                    width: 1.5,
                },
            ]),
        ];
    }

    #plot(frame, series) {
        const axis = {
            stroke: () => colour("secondary-text-color"),
            font: "10px sans-serif",
            ticks: { show: false },
            grid: { stroke: () => colour("secondary-border-color"), width: 1 },
        };
        const options = {
            width: this.content.clientWidth,
            height,
            legend: { show: false },
            cursor: { show: false },
            scales: { x: { time: true, auto: false }, y: { range: (_plot, _min, max) => [0, Math.max(max ?? 0, 1) * 1.1] } },
            axes: [
                { ...axis, size: 18, space: 60, grid: { show: false }, values: (_plot, at) => at.map((each) => clock(each * 1000)) },
                { ...axis, size: 38, space: 24, values: (_plot, values) => values.map(shortNumber) },
            ],
            series: [{}, ...series.map((each) => ({ ...each, points: { show: false }, spanGaps: false }))],
            hooks: { drawClear: [(plot) => this.#shadeOffline(plot)] },
        };
        return new this.#library(options, [[], ...series.map(() => [])], frame);
    }

    /** The times without a connection, behind the lines. */
    #shadeOffline(plot) {
        const { ctx, bbox } = plot;
        const [seconds] = plot.data;
        ctx.save();
        ctx.globalAlpha = 0.15;
        ctx.fillStyle = colour("node-status-colors-red");
        for (let index = 0; index < seconds.length; index++) {
            if (this.#online[index] !== false) continue;
            const left = plot.valToPos(seconds[index], "x", true);
            const right = plot.valToPos(seconds[index + 1] ?? plot.scales.x.max, "x", true);
            ctx.fillRect(left, bbox.top, Math.max(right - left, 1), bbox.height);
        }
        ctx.restore();
    }

    #redraw() {
        for (const plot of this.#plots) plot.redraw();
    }

    #resize() {
        const width = this.content.clientWidth;
        if (width > 0) for (const plot of this.#plots) plot.setSize({ width, height });
    }
}
