// What the gateway suspects of making the server close the connection; hidden while there is nothing.
import { button, element, setText, text, time } from "./words.mjs";

export class Suspects {
    constructor(act) {
        this.#act = act;
        this.content = element("section", "wiotp-panel-suspects");
        this.#list = element("ul", "wiotp-panel-list");
        this.content.append(element("h4", "", text("suspects")), element("p", "wiotp-panel-quiet", text("suspectsHint")), this.#list);
        this.show([]);
    }

    #act;
    #list;
    /** By id, so that a click or the focus is not lost when numbers change. */
    #rows = new Map();
    #isEmpty = true;

    show(suspects) {
        const rows = new Map();
        for (const suspect of suspects) {
            const row = this.#rows.get(suspect.id) ?? new SuspectRow(suspect, this.#act);
            row.show(suspect);
            rows.set(suspect.id, row);
        }
        this.#rows = rows;
        const wanted = [...rows.values()].map(({ content }) => content);
        for (const child of [...this.#list.children]) if (!wanted.includes(child)) child.remove();
        wanted.forEach((child, index) => {
            if (this.#list.children[index] !== child) this.#list.insertBefore(child, this.#list.children[index] ?? null);
        });
        this.#isEmpty = suspects.length === 0;
        this.hide(false);
    }

    /** Hides the part; it stays hidden while there is nothing to show. */
    hide(isHidden) {
        this.content.hidden = isHidden || this.#isEmpty;
    }
}

class SuspectRow {
    constructor({ id, kind, name, typeId, deviceId }, act) {
        this.content = element("li", "wiotp-panel-entry");
        const head = element("div", "wiotp-panel-entry-head");
        this.#dot = element("span", "wiotp-panel-dot");
        this.#state = element("span", "wiotp-panel-state");
        head.append(this.#dot, element("span", "wiotp-panel-name", text(`suspectKind.${kind}`)), this.#state);
        this.#more = element("div", "wiotp-panel-quiet");
        this.content.append(head, element("div", "wiotp-panel-topic", name), this.#more);
        if (!act.mayWrite()) return;
        const row = element("div", "wiotp-panel-actions");
        row.append(button("releaseSuspect", () => act.onSuspect({ id, name })));
        if (kind === "event" && deviceId !== undefined) row.append(button("purge", () => act.onDevice("purge", { typeId, deviceId })));
        this.content.append(row);
    }

    #dot;
    #state;
    #more;

    show({ strikes, isStruck, testAt, bytes, qos }) {
        this.#dot.dataset.fill = isStruck ? "red" : "yellow";
        setText(this.#state, text(isStruck ? "suspect.struck" : "suspect.parked", { strikes }));
        const size = bytes > 0 ? [`${bytes} B`] : [];
        const next = testAt === undefined ? [] : [text("suspect.testAt", { time: time(Date.parse(testAt)) })];
        setText(this.#more, [`QoS ${qos}`, ...size, ...next].join(" · "));
    }
}
