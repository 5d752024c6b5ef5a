// The head of the gateway panel: whether there is a connection and why not, and what is in the outbox.
import { button, bytes, duration, element, number, text, time } from "./words.mjs";

const fills = { online: "green", connecting: "yellow", waiting: "red", closed: "grey" };

export class Summary {
    constructor(act) {
        this.content = element("section", "wiotp-panel-summary");
        this.#phase = element("strong");
        this.#dot = element("span", "wiotp-panel-dot");
        this.#since = element("span", "wiotp-panel-quiet");
        this.#server = element("div", "wiotp-panel-quiet wiotp-panel-server");
        this.#reason = element("p", "wiotp-panel-reason");
        this.#next = element("p", "wiotp-panel-quiet");
        this.#reconnect = button("reconnect", () => act.reconnect());
        this.#facts = element("dl", "wiotp-panel-facts");
        const line = element("div", "wiotp-panel-connection");
        line.append(this.#dot, this.#phase, this.#since, this.#reconnect);
        this.content.append(line, this.#server, this.#reason, this.#next, this.#facts);
    }

    #dot;
    #phase;
    #since;
    #server;
    #reason;
    #next;
    #reconnect;
    #facts;

    /** Shows a view as it is at a moment. */
    show({ gateway, problem }, rates, now, mayWrite) {
        const phase = gateway?.connection.phase ?? "closed";
        this.#dot.dataset.fill = problem ? "red" : fills[phase];
        this.#phase.textContent = gateway ? text(`phase.${phase}`) : text(problem ? "phase.problem" : "phase.unused");
        this.#reason.textContent = problem?.text ?? gateway?.connection.reason?.text ?? gateway?.outbox.problem?.text ?? "";
        this.#reconnect.hidden = !gateway || !mayWrite;
        this.#facts.hidden = !gateway;
        this.#since.textContent = "";
        this.#server.textContent = "";
        this.#next.textContent = gateway ? "" : problem ? "" : text("unusedHint");
        if (!gateway) return;
        const since = Date.parse(gateway.connection.since);
        this.#since.textContent = text("since", { time: time(since, now), duration: duration(now - since) });
        this.#server.textContent = `${gateway.clientId} · ${gateway.server}`;
        const { retryAt } = gateway.connection;
        if (retryAt) this.#next.textContent = text("nextAttempt", { time: time(Date.parse(retryAt), now) });
        this.#showFacts(gateway, rates);
    }

    #showFacts({ outbox, totals, devices }, rates) {
        const rate = (value) => (value === undefined ? "–" : text("perSecond", { rate: number(value, value < 10 ? 1 : 0) }));
        const refused = Object.values(totals.refused).reduce((sum, count) => sum + count, 0);
        const drain = outbox.drain ? text("drainIn", { duration: duration(outbox.drain.remainingMs) }) : undefined;
        const facts = [
            ["waiting", number(outbox.events), drain ?? text(`outbox.${outbox.isDegraded ? "degraded" : outbox.kind}`)],
            ["size", bytes(outbox.bytes), text("ofLimit", { limit: bytes(outbox.maxBytes) })],
            ["incoming", rate(rates?.incoming), text("total", { total: number(totals.eventsAccepted) })],
            ["outgoing", rate(rates?.outgoing), text("total", { total: number(totals.eventsPublished) })],
            ["devices", number(devices.remembered), devices.held > 0 ? text("heldDevices", { held: number(devices.held) }) : ""],
            ["lost", number(outbox.expiredTotal + outbox.droppedTotal + refused), text("lostHint")],
        ];
        if (this.#facts.children.length === 0) for (const [key] of facts) this.#facts.append(fact(key));
        facts.forEach(([, value, note], index) => {
            const [, shown, small] = this.#facts.children[index].children;
            shown.textContent = value;
            small.textContent = note;
        });
    }
}

function fact(key) {
    const item = element("div");
    item.dataset.fact = key;
    item.append(element("dt", "", text(`fact.${key}`)), element("dd"), element("small"));
    return item;
}
