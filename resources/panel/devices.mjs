// The devices of the gateway panel: searched and filtered by the server, 200 at a time.
import { DeviceRow } from "./device-row.mjs";
import { server } from "./server.mjs";
import { element, number, text } from "./words.mjs";

const filters = ["", "registered", "pending", "held", "refused", "managed", "dormant"];
const typingMs = 250;
/** No device has a longer name, and the server limits the length of an address. */
const maxSearchCharacters = 200;

export class Devices {
    constructor(act) {
        this.#act = act;
        this.content = element("section", "wiotp-panel-devices");
        this.#search = element("input");
        this.#search.type = "search";
        this.#search.placeholder = text("search");
        this.#search.setAttribute("aria-label", text("search"));
        this.#search.maxLength = maxSearchCharacters;
        this.#filter = element("select");
        this.#filter.setAttribute("aria-label", text("filterLabel"));
        for (const filter of filters) {
            const option = element("option", "", text(`filter.${filter || "all"}`));
            option.value = filter;
            this.#filter.append(option);
        }
        this.#list = element("ul", "wiotp-panel-list");
        this.#list.setAttribute("aria-label", text("devices"));
        this.#range = element("span");
        this.#before = this.#pageButton("fa-chevron-left", "pageBefore", -1);
        this.#after = this.#pageButton("fa-chevron-right", "pageAfter", 1);
        const tools = element("div", "wiotp-panel-tools");
        tools.append(this.#search, this.#filter);
        const pager = element("div", "wiotp-panel-pager");
        pager.append(this.#before, this.#range, this.#after);
        this.content.append(element("h4", "", text("devices")), tools, this.#list, pager);
        this.#search.addEventListener("input", () => {
            clearTimeout(this.#typing);
            this.#typing = setTimeout(() => this.#restart(), typingMs);
        });
        this.#filter.addEventListener("change", () => this.#restart());
    }

    #act;
    #search;
    #filter;
    #list;
    #range;
    #before;
    #after;
    #typing;
    #page = 0;
    #rows = new Map();
    #asked = 0;
    /** Called to show another part of the list. */
    onChanged = () => undefined;

    /** The query for the server. */
    get query() {
        return { search: this.#search.value.trim(), state: this.#filter.value, page: this.#page };
    }

    /** Clears the list: another gateway is selected. */
    clear() {
        this.#asked += 1;
        this.#page = 0;
        this.#rows.clear();
        this.#list.replaceChildren();
        this.#range.textContent = "";
    }

    /** Queries the server and shows the answer; ignores the answer to an older query. Resolves when the query has ended. */
    refresh(id, nowOf) {
        this.#asked += 1;
        const asked = this.#asked;
        return server.devices(id, this.query).then((page) => {
            if (asked === this.#asked) this.#show(page, nowOf());
        });
    }

    #show({ devices, total, page, pageSize }, now) {
        const rows = new Map();
        for (const device of devices) {
            const key = `${device.typeId}/${device.deviceId}`;
            const row = this.#rows.get(key) ?? new DeviceRow(device, this.#act);
            row.show(device, now);
            rows.set(key, row);
        }
        this.#rows = rows;
        this.#arrange([...rows.values()].map(({ content }) => content));
        const from = page * pageSize;
        const range = { from: number(from + 1), to: number(from + devices.length), total: number(total) };
        this.#range.textContent = devices.length > 0 ? text("range", range) : text(total > 0 ? "pageEmpty" : "noDevices");
        this.#before.disabled = page === 0;
        this.#after.disabled = from + devices.length >= total;
    }

    /** Moves only elements that are out of place: a moved element loses the focus. */
    #arrange(wanted) {
        const kept = new Set(wanted);
        for (const child of [...this.#list.children]) if (!kept.has(child)) child.remove();
        wanted.forEach((child, index) => {
            if (this.#list.children[index] !== child) this.#list.insertBefore(child, this.#list.children[index] ?? null);
        });
    }

    #restart() {
        this.#page = 0;
        this.onChanged();
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
            this.onChanged();
        });
        return made;
    }
}
