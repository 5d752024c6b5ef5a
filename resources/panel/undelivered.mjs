// What could not be delivered and is kept: searched by the server, 200 at a time; hidden while there is nothing.
import { SearchPager } from "./search-pager.mjs";
import { server } from "./server.mjs";
import { button, bytes, element, number, text, time } from "./words.mjs";

export class Undelivered {
    constructor(act) {
        this.#act = act;
        this.content = element("section", "wiotp-panel-undelivered");
        this.content.hidden = true;
        this.#caught = element("input", "wiotp-panel-checkbox");
        this.#caught.type = "checkbox";
        const label = element("label", "wiotp-panel-check");
        label.append(this.#caught, element("span", "", text("undeliveredCaught")));
        this.#list = element("ul", "wiotp-panel-list");
        this.#list.setAttribute("aria-label", text("undelivered"));
        this.#pager = new SearchPager("undeliveredSearch", this.#list, () => this.refresh());
        const tools = element("div", "wiotp-panel-tools");
        tools.append(this.#pager.search, label);
        this.#actions = element("div", "wiotp-panel-actions");
        this.#actions.append(
            button("resendAll", () => act.onUndelivered("resendAll", { count: number(this.#total) }, this.#selection)),
            button("deleteAll", () => act.onUndelivered("deleteAll", { count: number(this.#total) }, this.#selection)),
            button("export", () => this.#export()),
        );
        this.content.append(element("h4", "", text("undelivered")), tools, this.#actions, this.#list, this.#pager.content);
        this.#caught.addEventListener("change", () => this.#pager.restart());
    }

    #act;
    #pager;
    #caught;
    #actions;
    #list;
    #id = "";
    #total = 0;
    /** How many the server says there are. */
    #count = 0;
    #asked = 0;
    #displayed = "";

    /** Clears the list: another gateway is selected. */
    clear() {
        this.#asked += 1;
        this.#pager.clear();
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
        server.undelivered(this.#id, { ...this.#query, page: this.#pager.page }).done((page) => {
            if (asked === this.#asked) this.#show(page);
        });
    }

    get #query() {
        return { search: this.#pager.words, caught: this.#caught.checked ? "yes" : "no" };
    }

    /** The same for an action. */
    get #selection() {
        return { search: this.#pager.words, caught: this.#caught.checked };
    }

    /** Renders a page unless it is displayed already: a row that is replaced loses its focus. */
    #show(answer) {
        const displayed = JSON.stringify(answer);
        if (displayed === this.#displayed) return;
        this.#displayed = displayed;
        const { events, total, page, pageSize } = answer;
        this.#total = total;
        this.#list.replaceChildren(...events.map((event) => this.#entry(event)));
        this.#pager.show({ count: events.length, total, page, pageSize }, "noUndelivered");
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
}
