// The data of the charts in the gateway panel: one hour from the server, plus the live samples since then.

const keptMs = 3_600_000;
/** The averaging time of a rate; a shorter one would make it jump. */
const rateMs = 5_000;
const gapMs = 15_000;

export class Samples {
    #items = [];

    /** Starts over with the samples that the server remembers. */
    restart(history) {
        this.#items = [];
        for (const sample of history) this.#push(sample);
    }

    /** Adds a live sample. */
    add(sample) {
        const sinceLastMs = sample.at - (this.#items.at(-1)?.at ?? 0);
        if (sinceLastMs >= 0 && sinceLastMs < 900) return;
        this.#push(sample);
        while (this.#items[0].at < sample.at - keptMs) this.#items.shift();
    }

    /** After the server's clock is set back, samples later than now no longer count: time in a chart only moves forward. */
    #push(sample) {
        while (this.#items.at(-1)?.at > sample.at) this.#items.pop();
        this.#items.push(sample);
    }

    /** Recent events per second, in and out; undefined if unknown. */
    get rates() {
        const last = this.#items.at(-1);
        const before = last && this.#items.findLast(({ at }) => at <= last.at - rateMs);
        if (!before || last.at - before.at > gapMs) return undefined;
        return between(before, last);
    }

    /** Columns for the charts: seconds, events per second in and out, waiting events, whether there was a connection. */
    columns(fromMs) {
        const columns = [[], [], [], [], []];
        let before;
        for (const sample of this.#items) {
            if (sample.at >= fromMs) {
                const rates = before && sample.at - before.at <= gapMs ? between(before, sample) : undefined;
                const values = [sample.at / 1000, rates?.incoming ?? null, rates?.outgoing ?? null, sample.queued, sample.isOnline];
                values.forEach((value, column) => {
                    columns[column].push(value);
                });
            }
            before = sample;
        }
        return columns;
    }
}

/** Totals restart at 0 when a gateway is reopened; no rate spans that point. */
function between(before, after) {
    const seconds = (after.at - before.at) / 1000;
    const incoming = (after.eventsReceived - before.eventsReceived) / seconds;
    const outgoing = (after.eventsPublished - before.eventsPublished) / seconds;
    return seconds > 0 && incoming >= 0 && outgoing >= 0 ? { incoming, outgoing } : undefined;
}
