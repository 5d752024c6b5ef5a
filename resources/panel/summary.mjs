// The head of the gateway panel: the connection, with the reason if there is none, and the outbox.
import { button, bytes, duration, element, number, setText, text, time } from "./words.mjs";

const fills = { online: "green", paused: "yellow", connecting: "yellow", waiting: "red", closed: "grey" };

export class Summary {
    constructor(act) {
        this.content = element("section", "wiotp-panel-summary");
        this.#phase = element("strong");
        this.#phase.setAttribute("role", "status");
        this.#dot = element("span", "wiotp-panel-dot");
        this.#since = element("span", "wiotp-panel-quiet");
        this.#server = element("div", "wiotp-panel-quiet wiotp-panel-server");
        this.#reason = element("p", "wiotp-panel-reason");
        this.#storage = element("p", "wiotp-panel-reason");
        this.#next = element("p", "wiotp-panel-quiet");
        this.#actions = {
            connect: button("connect", () => act.onGateway("connect")),
            reconnect: button("reconnect", () => act.onGateway("reconnect")),
            disconnect: button("disconnect", () => act.onGateway("disconnect")),
            pause: button("pause", () => act.onGateway("pause")),
            resume: button("resume", () => act.onGateway("resume")),
        };
        this.#buttons = element("div", "wiotp-panel-actions");
        this.#buttons.append(...Object.values(this.#actions));
        this.#facts = element("dl", "wiotp-panel-facts");
        const line = element("div", "wiotp-panel-connection");
        line.append(this.#dot, this.#phase, this.#since);
        this.content.append(line, this.#server, this.#reason, this.#next, this.#storage, this.#buttons, this.#facts);
    }

    #dot;
    #phase;
    #since;
    #server;
    #reason;
    #storage;
    #next;
    #actions;
    #buttons;
    #facts;

    /** Shows a view at a point in time. */
    show({ gateway, problem }, rates, now, mayWrite) {
        const phase = gateway ? phaseOf(gateway.connection) : "closed";
        // As in the statuses of nodes: an unusable outbox file is never green, whatever the connection.
        this.#dot.dataset.fill = problem || gateway?.outbox.problem ? "red" : fills[phase];
        setText(this.#phase, gateway ? text(`phase.${phase}`) : text(problem ? "phase.problem" : "phase.unused"));
        setText(this.#since, gateway ? sinceWords(gateway.connection, now) : "");
        setText(this.#server, gateway ? `${gateway.clientId} · ${gateway.server}` : "");
        setText(this.#reason, problem?.text ?? gateway?.connection.reason?.text ?? "");
        setText(this.#next, gateway ? nextWords(gateway.connection, now) : problem ? "" : text("unusedHint"));
        setText(this.#storage, gateway?.outbox.problem?.text ?? "");
        this.#buttons.hidden = !gateway || !mayWrite;
        this.#facts.hidden = !gateway;
        if (!gateway) return;
        this.#offer(gateway.connection);
        this.#showFacts(gateway, rates, now);
    }

    #offer({ isWanted, isPaused }) {
        const { connect, reconnect, disconnect, pause, resume } = this.#actions;
        const offered = [isWanted ? reconnect : connect, isPaused ? resume : pause, ...(isWanted ? [disconnect] : [])];
        const focused = document.activeElement;
        for (const action of Object.values(this.#actions)) action.hidden = !offered.includes(action);
        // A button that gives way to its opposite must not take the focus with it.
        if (focused?.hidden && this.#buttons.contains(focused)) offered[focused === pause || focused === resume ? 1 : 0].focus();
    }

    #showFacts({ outbox, totals, devices, certificates: [certificate] }, rates, now) {
        const rate = (value) => (value === undefined ? "–" : text("perSecond", { rate: number(value, value < 10 ? 1 : 0) }));
        const drain = outbox.drain ? text("drainIn", { duration: duration(outbox.drain.remainingMs) }) : undefined;
        const facts = [
            ["waiting", number(outbox.events), drain ?? text(`outbox.${outbox.isDegraded ? "degraded" : outbox.kind}`)],
            ["priorities", priorities(outbox), outbox.oldestAt ? text("oldest", { age: duration(now - Date.parse(outbox.oldestAt)) }) : ""],
            ["size", bytes(outbox.bytes), text("ofLimit", { limit: bytes(outbox.maxBytes) })],
            ["incoming", rate(rates?.incoming), text("total", { total: number(totals.eventsReceived) })],
            ["outgoing", rate(rates?.outgoing), text("total", { total: number(totals.eventsPublished) })],
            ["devices", number(devices.remembered), devices.held > 0 ? text("heldDevices", { held: number(devices.held) }) : ""],
            ["silent", ...some(devices.silent)],
            ["certificate", ...(certificate ? validity(certificate, now) : [])],
            ["lost", number(notDelivered(outbox, totals)), text("lostHint")],
            ["undelivered", ...some(outbox.undelivered)],
            ["rejected", ...some(totals.eventsRejected)],
        ];
        if (this.#facts.children.length === 0) for (const [key] of facts) this.#facts.append(fact(key));
        facts.forEach(([, value, note], index) => {
            const item = this.#facts.children[index];
            const [, shown, small] = item.children;
            item.hidden = value === undefined;
            setText(shown, value ?? "");
            setText(small, note ?? "");
        });
    }
}

/** A number that is shown unless it is 0. */
function some(count) {
    return count > 0 ? [number(count)] : [];
}

function notDelivered({ expiredTotal, droppedTotal, undeliverableTotal }, { eventsRefused }) {
    return expiredTotal + droppedTotal + undeliverableTotal + eventsRefused;
}

/** How long the certificate is valid, and whose it is. */
function validity({ whose, expiresAt }, now) {
    const leftMs = Date.parse(expiresAt) - now;
    return [leftMs > 0 ? duration(leftMs) : text("certificate.expired"), text(`certificate.${whose}`)];
}

function priorities({ high, normal, low }) {
    return `${number(high)} / ${number(normal)} / ${number(low)}`;
}

/** Nobody has asked for the end of a connection that is only about to be opened. */
function phaseOf({ phase, isWanted, isPaused }) {
    if (phase === "online" && isPaused) return "paused";
    return phase === "closed" && isWanted ? "connecting" : phase;
}

function sinceWords({ since }, now) {
    const at = Date.parse(since);
    return text("since", { time: time(at, now), duration: duration(now - at) });
}

function nextWords({ retryAt }, now) {
    return retryAt ? text("nextAttempt", { time: time(Date.parse(retryAt), now) }) : "";
}

function fact(key) {
    const item = element("div");
    item.dataset.fact = key;
    item.append(element("dt", "", text(`fact.${key}`)), element("dd"), element("small"));
    return item;
}
