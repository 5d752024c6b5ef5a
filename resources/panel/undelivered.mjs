// What could not be delivered and is kept: searched by the server, 200 at a time; hidden while there is nothing.
import { server } from "./server.mjs";
import { button, bytes, element, number, setText, text, time } from "./words.mjs";

const typingMs = 250;
/** No device has a longer name, and the server limits the length of an address. */
const maxSearchCharacters = 200;

export class Undelivered {
    constructor(act) {
        this.#act = act;
        this.content = element("section", "wiotp-panel-undelivered");
        this.content.hidden = true;
        this.#search = element("input");
        this.#search.type = "search";
        this.#search.placeholder = text("search");
        this.#search.setAttribute("aria-label", text("undeliveredSearch"));
        this.#search.maxLength = maxSearchCharacters;
        this.#caught = element("input", "wiotp-panel-checkbox");
        this.#caught.type = "checkbox";
        const label = element("label", "wiotp-panel-check");
        label.append(this.#caught, element("span", "", text("undeliveredCaught")));
        const tools = element("div", "wiotp-panel-tools");
        tools.append(this.#search, label);
        this.#actions = element("div", "wiotp-panel-actions");
        this.#actions.append(
            button("resendAll", () => act.onUndelivered("resendAll", { count: number(this.#total) }, this.#selection)),
            button("deleteAll", () => act.onUndelivered("deleteAll", { count: number(this.#total) }, this.#selection)),
            button("export", () => this.#export()),
        );
        this.#list = element("ul", "wiotp-panel-list");
        this.#list.setAttribute("aria-label", text("undelivered"));
        this.#range = element("span");
        this.#before = this.#pageButton("fa-chevron-left", "pageBefore", -1);
        this.#after = this.#pageButton("fa-chevron-right", "pageAfter", 1);
        const pager = element("div", "wiotp-panel-pager");
        pager.append(this.#before, this.#range, this.#after);
        this.content.append(element("h4", "", text("undelivered")), tools, this.#actions, this.#list, pager);
        this.#search.addEventListener("input", () => {
            clearTimeout(this.#typing);
            this.#typing = setTimeout(() => this.#restart(), typingMs);
        });
        this.#caught.addEventListener("change", () => this.#restart());
    }

    #act;
    #search;
    #caught;
    #actions;
    #list;
    #range;
    #before;
    #after;
    #typing;
    #id = "";
    #page = 0;
    #total = 0;
    /** How many the server says there are. */
    #count = 0;
    #asked = 0;
    #displayed = "";

    /** Clears the list: another gateway is selected. */
    clear() {
        this.#asked += 1;
        this.#page = 0;
        this.#count = 0;
        this.#displayed = "";
        this.#list.replaceChildren();
        this.content.hidden = true;
    }

    /** Shows how many there are, those that wait to be handed over included; asks for the list when that has changed. */
    show(id, count) {
        const hasChanged = id !== this.#id || count !== this.#count;
        this.#id = id;
        this.#count = count;
        this.content.hidden = count === 0;
        if (hasChanged && count > 0) this.refresh();
    }

    /** Asks the server, if there are any; ignores the answer to an older query. */
    refresh() {
        if (this.#count === 0) return;
        this.#asked += 1;
        const asked = this.#asked;
        server.undelivered(this.#id, { ...this.#query, page: this.#page }).done((page) => {
            if (asked === this.#asked) this.#show(page);
        });
    }

    get #query() {
        return { search: this.#search.value.trim(), caught: this.#caught.checked ? "yes" : "no" };
    }

    /** The same for an action. */
    get #selection() {
        return { search: this.#search.value.trim(), caught: this.#caught.checked };
    }

    /** Renders a page unless it is displayed already: a row that is replaced loses its focus. */
    #show(answer) {
        const displayed = JSON.stringify(answer);
        if (displayed === this.#displayed) return;
        this.#displayed = displayed;
        const { events, total, page, pageSize } = answer;
        this.#total = total;
        this.#list.replaceChildren(...events.map((event) => this.#entry(event)));
        const from = page * pageSize;
        const range = { from: number(from + 1), to: number(from + events.length), total: number(total) };
        setText(this.#range, events.length > 0 ? text("range", range) : text(total > 0 ? "pageEmpty" : "noUndelivered"));
        this.#before.disabled = page === 0;
        this.#after.disabled = from + events.length >= total;
        for (const action of this.#actions.children) {
            action.hidden = !this.#act.mayWrite();
            action.disabled = total === 0;
        }
    }

    #entry({ id, typeId, deviceId, eventId, code, rc, reason, time: entered, ended, size, caught }) {
        const entry = element("li", "wiotp-panel-entry");
        const head = element("div", "wiotp-panel-entry-head");
        const dot = element("span", "wiotp-panel-dot");
        dot.dataset.fill = caught ? "grey" : "red";
        const device = typeId === undefined ? deviceId : `${typeId}/${deviceId}`;
        const state = [code, rc === undefined ? undefined : `RC ${rc}`, caught ? text("undeliveredWasCaught") : undefined];
        head.append(
            dot,
            element("span", "wiotp-panel-name", `${device} ${eventId}`),
            element("span", "wiotp-panel-state", state.filter(Boolean).join(" · ")),
        );
        const times = { entered: time(Date.parse(entered)), ended: time(Date.parse(ended)) };
        const more = [text("undeliveredTimes", times), bytes(size), reason].join(" · ");
        entry.append(head, element("div", "wiotp-panel-quiet", more));
        if (this.#act.mayWrite()) {
            const row = element("div", "wiotp-panel-actions");
            row.append(
                button("resendEvent", () => this.#act.onUndelivered("resendEvent", { device }, { ids: [id] })),
                button("deleteEvent", () => this.#act.onUndelivered("deleteEvent", { device }, { ids: [id] })),
            );
            entry.append(row);
        }
        return entry;
    }

    #export() {
        server.exportUndelivered(this.#id, this.#query).fail(({ status }) => this.#act.failed(status));
    }

    #restart() {
        this.#page = 0;
        this.refresh();
    }

    #pageButton(icon, key, step) {
        const made = element("button", "red-ui-button red-ui-button-small");
        made.type = "button";
        made.disabled = true;
        made.setAttribute("aria-label", text(key));
        made.append(element("i", `fa ${icon}`));
        made.addEventListener("click", () => {
            this.#page += step;
            this.#list.scrollTop = 0;
            this.refresh();
        });
        return made;
    }
}
