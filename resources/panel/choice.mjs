// Which gateway the panel shows.
import { element, text } from "./words.mjs";

export class GatewayChoice {
    constructor(chosen) {
        this.content = element("select", "wiotp-panel-gateways");
        this.content.setAttribute("aria-label", text("chooseGateway"));
        this.content.addEventListener("change", () => {
            this.#id = this.content.value;
            chosen();
        });
    }

    #id = "";
    #entries = [];

    /** The node id of the selected gateway, even while it is not deployed; empty before there is any. */
    get id() {
        return this.#id;
    }

    /** Whether the list contains the selected gateway. */
    get isThere() {
        return this.#entries.some(({ id }) => id === this.#id);
    }

    /** Lists the deployed gateways. The choice stays: an operator about to act on a gateway must not find another one in its place. */
    list(entries) {
        this.#entries = [...entries].sort((one, other) => labelOf(one).localeCompare(labelOf(other)));
        if (this.#id === "") this.#id = this.#entries[0]?.id ?? "";
        const labels = distinct(this.#entries);
        this.content.replaceChildren(...this.#entries.map(({ id }, index) => new Option(labels[index], id)));
        this.content.value = this.#id;
        this.content.disabled = this.#entries.length === 0;
    }

    /** The gateway may have a new name. */
    rename(entry) {
        const known = this.#entries.find(({ id }) => id === entry.id);
        if (known && labelOf(known) !== labelOf(entry)) this.list(this.#entries.map((each) => (each === known ? entry : each)));
    }
}

function labelOf({ id, name, gateway }) {
    return name || gateway?.clientId || id;
}

/** Distinguishes gateways that have the same name or share a connection. */
function distinct(entries) {
    const withClient = (entry) => (entry.gateway ? `${labelOf(entry)} (${entry.gateway.clientId})` : labelOf(entry));
    const withId = (entry) => `${labelOf(entry)} (${entry.id})`;
    return entries.map((entry) => {
        const isAlone = (words) => entries.filter((each) => words(each) === words(entry)).length === 1;
        return ([labelOf, withClient].find(isAlone) ?? withId)(entry);
    });
}
