// The last notifications, commands and device management requests in the gateway panel.
import { element, number, text, time } from "./words.mjs";

/** A list under a heading, the newest first. `describe` returns the parts of an entry: a title, a state and further text. */
export class RecentList {
    constructor(key, describe) {
        this.#key = key;
        this.#describe = describe;
        this.content = element("section", `wiotp-panel-${key}`);
        this.#list = element("ul", "wiotp-panel-list");
        this.content.append(element("h4", "", text(key)), this.#list);
        this.show([]);
    }

    #key;
    #describe;
    #list;

    show(items) {
        if (items.length === 0) {
            this.#list.replaceChildren(element("li", "wiotp-panel-quiet", text(`none.${this.#key}`)));
            return;
        }
        this.#list.replaceChildren(...[...items].reverse().map((item) => this.#entry(item)));
    }

    #entry(item) {
        const { title, state, fill, more } = this.#describe(item);
        const entry = element("li", "wiotp-panel-entry");
        const dot = element("span", "wiotp-panel-dot");
        dot.dataset.fill = fill;
        const head = element("div", "wiotp-panel-entry-head");
        head.append(dot, element("span", "wiotp-panel-name", title), element("span", "wiotp-panel-state", state));
        entry.append(head, element("div", "wiotp-panel-quiet", [time(item.at), more].filter(Boolean).join(" · ")));
        return entry;
    }
}

const deviceOf = ({ typeId, deviceId }) => (typeId === undefined ? deviceId : `${typeId}/${deviceId}`);

function notification(item) {
    return {
        title: deviceOf(item) ?? item.topic ?? text("unknownDevice"),
        state: [item.request, item.rc === undefined ? undefined : `RC ${item.rc}`].filter(Boolean).join(" · "),
        fill: "red",
        more: item.text,
    };
}

function request(item) {
    const { action, from, outcome, rc, message, isDelivered } = item;
    const good = rc !== undefined && rc < 300;
    const words = [text(`request.${outcome}`, { rc: rc ?? "" })];
    if (isDelivered === false) words.push(text("request.undelivered"));
    return {
        title: `${deviceOf(item)} ${from === "device" ? "→ " : ""}${action ?? text("request.unreadable")}`,
        state: words.join(" · "),
        fill: outcome === "waiting" ? "yellow" : outcome === "unanswered" ? "grey" : good ? "green" : "red",
        more: message,
    };
}

const commandFills = { working: "yellow", received: "green", answered: "green", unclaimed: "grey" };

function command(item) {
    const { commandId, outcome, tookMs, duplicate, replayed } = item;
    const took = tookMs === undefined ? undefined : text("command.took", { seconds: number(tookMs / 1000, 1) });
    const marks = [duplicate && text("command.duplicate"), replayed && text("command.replayed")];
    return {
        title: `${deviceOf(item)} ${commandId}`,
        state: text(`command.${outcome}`),
        fill: commandFills[outcome] ?? "red",
        more: [took, ...marks].filter(Boolean).join(" · "),
    };
}

export const describe = { notification, command, request };
