// The search field of a list, and the buttons that turn its pages. The server searches; a page has a number from 0.
import { element, number, setText, text } from "./words.mjs";

const typingMs = 250;
/** No device has a longer name, and the server limits the length of an address. */
const maxSearchCharacters = 200;

export class SearchPager {
    /** `turned` is called when another part of the list is wanted; `list` is scrolled to its beginning then. */
    constructor(labelKey, list, turned) {
        this.#list = list;
        this.#turned = turned;
        this.search = element("input");
        this.search.type = "search";
        this.search.placeholder = text("search");
        this.search.setAttribute("aria-label", text(labelKey));
        this.search.maxLength = maxSearchCharacters;
        this.search.addEventListener("input", () => {
            clearTimeout(this.#typing);
            this.#typing = setTimeout(() => this.restart(), typingMs);
        });
        this.#before = this.#button("fa-chevron-left", "pageBefore", -1);
        this.#after = this.#button("fa-chevron-right", "pageAfter", 1);
        this.content = element("div", "wiotp-panel-pager");
        this.content.append(this.#before, this.#range, this.#after);
    }

    #list;
    #turned;
    #typing;
    #before;
    #after;
    #range = element("span");
    #page = 0;

    get page() {
        return this.#page;
    }

    /** The text to search for. */
    get words() {
        return this.search.value.trim();
    }

    /** Shows which part of how many is displayed; `emptyKey` names the text for a list without entries. */
    show({ count, total, page, pageSize }, emptyKey) {
        const from = page * pageSize;
        const range = { from: number(from + 1), to: number(from + count), total: number(total) };
        setText(this.#range, count > 0 ? text("range", range) : text(total > 0 ? "pageEmpty" : emptyKey));
        this.#before.disabled = page === 0;
        this.#after.disabled = from + count >= total;
    }

    /** Another list: back to the first page, and nothing is known of it. */
    clear() {
        this.#page = 0;
        setText(this.#range, "");
    }

    /** Asks for the first page. */
    restart() {
        this.#page = 0;
        this.#turned();
    }

    #button(icon, key, step) {
        const made = element("button", "red-ui-button red-ui-button-small");
        made.type = "button";
        made.disabled = true;
        made.setAttribute("aria-label", text(key));
        made.append(element("i", `fa ${icon}`));
        made.addEventListener("click", () => {
            this.#page += step;
            this.#list.scrollTop = 0;
            this.#turned();
        });
        return made;
    }
}
