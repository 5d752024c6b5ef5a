// The devices of the gateway panel: searched and filtered by the server, 200 at a time.
import { DeviceRow } from "./device-row.mjs";
import { SearchPager } from "./search-pager.mjs";
import { server } from "./server.mjs";
import { element, text } from "./words.mjs";

const filters = ["", "registered", "pending", "held", "refused", "managed", "dormant"];

export class Devices {
    constructor(act) {
        this.#act = act;
        this.content = element("section", "wiotp-panel-devices");
        this.#filter = element("select");
        this.#filter.setAttribute("aria-label", text("filterLabel"));
        for (const filter of filters) {
            const option = element("option", "", text(`filter.${filter || "all"}`));
            option.value = filter;
            this.#filter.append(option);
        }
        this.#list = element("ul", "wiotp-panel-list");
        this.#list.setAttribute("aria-label", text("devices"));
        this.#pager = new SearchPager("search", this.#list, () => this.onChanged());
        const tools = element("div", "wiotp-panel-tools");
        tools.append(this.#pager.search, this.#filter);
        this.content.append(element("h4", "", text("devices")), tools, this.#list, this.#pager.content);
        this.#filter.addEventListener("change", () => this.#pager.restart());
    }

    #act;
    #pager;
    #filter;
    #list;
    #rows = new Map();
    #asked = 0;
    /** Called to show another part of the list. */
    onChanged = () => undefined;

    /** The query for the server. */
    get query() {
        return { search: this.#pager.words, state: this.#filter.value, page: this.#pager.page };
    }

    /** Clears the list: another gateway is selected. */
    clear() {
        this.#asked += 1;
        this.#pager.clear();
        this.#rows.clear();
        this.#list.replaceChildren();
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
        this.#pager.show({ count: devices.length, total, page, pageSize }, "noDevices");
    }

    /** Moves only elements that are out of place: a moved element loses the focus. */
    #arrange(wanted) {
        const kept = new Set(wanted);
        for (const child of [...this.#list.children]) if (!kept.has(child)) child.remove();
        wanted.forEach((child, index) => {
            if (this.#list.children[index] !== child) this.#list.insertBefore(child, this.#list.children[index] ?? null);
        });
    }
}
