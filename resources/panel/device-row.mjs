// One device in the gateway panel. The row element stays while its numbers change, so that no click or focus is lost.
import { ago, button, element, number, setText, text, time } from "./words.mjs";

const fills = { known: "green", held: "blue", new: "grey" };

export class DeviceRow {
    constructor(device, act) {
        this.content = element("li", "wiotp-panel-device");
        this.#head = element("button", "wiotp-panel-device-head");
        this.#head.type = "button";
        this.#head.setAttribute("aria-expanded", "false");
        this.#dot = element("span", "wiotp-panel-dot");
        this.#state = element("span", "wiotp-panel-state");
        const name = element("span", "wiotp-panel-name");
        name.append(element("span", "wiotp-panel-quiet", `${device.typeId}/`), document.createTextNode(device.deviceId));
        this.#head.append(this.#dot, name, this.#state);
        this.#activity = element("div", "wiotp-panel-activity wiotp-panel-quiet");
        this.#reason = element("p", "wiotp-panel-reason");
        this.content.append(this.#head, this.#activity, this.#reason);
        this.#head.addEventListener("click", () => this.#toggle(device, act));
    }

    #head;
    #dot;
    #state;
    #activity;
    #reason;
    #details;

    /** Shows the device as it is now. */
    show(device, now) {
        const { registration, management, refusals } = device;
        this.content.dataset.phase = registration.phase;
        this.#dot.dataset.fill = fills[registration.phase] ?? "yellow";
        const states = [text(`registration.${registration.phase}`), ...(management ? [text(`management.${management}`)] : [])];
        if (refusals > 0) states.push(text("refusals", { refusals: number(refusals) }));
        setText(this.#state, states.join(" · "));
        setText(this.#activity, activity(device, now));
        setText(this.#reason, registration.hold ? holdWords(registration.hold, now) : "");
        this.#details?.querySelectorAll('[data-action="release"]').forEach((each) => {
            each.hidden = registration.phase !== "held";
        });
    }

    #toggle(device, act) {
        const opens = this.#details === undefined;
        this.#head.setAttribute("aria-expanded", String(opens));
        if (opens) {
            this.#details = actionButtons(device, act);
            this.content.append(this.#details);
        } else {
            this.#details.remove();
            this.#details = undefined;
        }
        if (opens) act.opened?.(device);
    }
}

function activity({ events, commands, lastEventAt, lastCommandAt }, now) {
    const last = (at) => (at === undefined ? text("never") : ago(at, now));
    const parts = [
        text("deviceEvents", { events: number(events), last: last(lastEventAt) }),
        text("deviceCommands", { commands: number(commands), last: last(lastCommandAt) }),
    ];
    return parts.join(" · ");
}

function holdWords({ reason, until, rc, text: said }, now) {
    const words = [text(`hold.${reason}`)];
    if (rc !== undefined) words.push(`RC ${rc}${said ? `: ${said}` : ""}`);
    words.push(until > now ? text("heldUntil", { time: time(until, now) }) : text("heldOver"));
    return words.join(" · ");
}

function actionButtons(device, act) {
    const row = element("div", "wiotp-panel-actions");
    if (!act.mayWrite()) {
        row.append(element("span", "wiotp-panel-quiet", text("mayNotAct")));
        return row;
    }
    for (const key of ["release", "purge", "forget"]) {
        const made = button(key, () => act.onDevice(key, device));
        if (key === "release") made.hidden = device.registration.phase !== "held";
        row.append(made);
    }
    return row;
}
