// The numbers behind the charts of the gateway panel: an hour from the server, and what has come live since.

const keptMs = 3_600_000;
/** A rate is taken over this time, or it would jump. */
const rateMs = 5_000;
const gapMs = 15_000;

export class Samples {
    #items = [];

    /** Begins anew with what the server remembers. */
    restart(history) {
        this.#items = [];
        for (const sample of history) this.#push(sample);
    }

    /** Adds what has just come. */
    add(sample) {
        const sinceLastMs = sample.at - (this.#items.at(-1)?.at ?? 0);
        if (sinceLastMs >= 0 && sinceLastMs < 900) return;
        this.#push(sample);
        while (this.#items[0].at < sample.at - keptMs) this.#items.shift();
    }

    /** When the server's clock is put back, what is later than now does not count any more: a chart goes one way only. */
    #push(sample) {
        while (this.#items.at(-1)?.at > sample.at) this.#items.pop();
        this.#items.push(sample);
    }

    /** Events per second that came in and went out lately; undefined when that is not known. */
    get rates() {
        const last = this.#items.at(-1);
        const before = last && this.#items.findLast(({ at }) => at <= last.at - rateMs);
        if (!before || last.at - before.at > gapMs) return undefined;
        return between(before, last);
    }

    /** Columns for the charts: seconds, events per second in and out, events that wait, whether there was a connection. */
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

/** Totals begin at 0 when a gateway is opened anew; there is no rate across that. */
function between(before, after) {
    const seconds = (after.at - before.at) / 1000;
    const incoming = (after.eventsReceived - before.eventsReceived) / seconds;
    const outgoing = (after.eventsPublished - before.eventsPublished) / seconds;
    return seconds > 0 && incoming >= 0 && outgoing >= 0 ? { incoming, outgoing } : undefined;
}
