// Words, numbers, times and elements of the gateway panel. All text becomes text nodes: ids and texts of the platform are not trusted.

const catalogue = "node-red-contrib-wiotp-gateway/gateway-panel:gateway-panel";

/** The text of a key, in the editor's language. */
export function text(key, parameters) {
    return globalThis.RED._(`${catalogue}.${key}`, parameters);
}

function language() {
    return globalThis.RED.i18n.lang() || "en-US";
}

/** An element with text in it. */
export function element(tag, className, words) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (words !== undefined) made.textContent = words;
    return made;
}

/** Sets the text of an element only if it differs: a rewritten text loses its selection, and screen readers read it again. */
export function setText(shown, words) {
    if (shown.textContent !== words) shown.textContent = words;
}

/** Makes a list show these lines and keeps elements that it already shows. */
export function setLines(list, className, lines) {
    while (list.children.length > lines.length) list.lastElementChild.remove();
    lines.forEach((words, index) => {
        if (!list.children[index]) list.append(element("li", className));
        setText(list.children[index], words);
    });
}

/** A button in the editor's style. */
export function button(key, run) {
    const made = element("button", "red-ui-button red-ui-button-small", text(`action.${key}`));
    made.type = "button";
    made.dataset.action = key;
    made.addEventListener("click", run);
    return made;
}

export function number(value, digits = 0) {
    return new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
}

/** A number in compact notation, as the language abbreviates thousands. */
export function shortNumber(value) {
    return new Intl.NumberFormat(language(), { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

export function bytes(value) {
    const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
    const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), 3);
    const options = { style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: power > 0 ? 1 : 0 };
    return new Intl.NumberFormat(language(), options).format(value / 1024 ** power);
}

/** A time of day, with the date when it is another day. */
export function time(at, now = Date.now()) {
    const isToday = new Date(at).toDateString() === new Date(now).toDateString();
    const day = isToday ? {} : { month: "short", day: "numeric" };
    return new Intl.DateTimeFormat(language(), { ...day, hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at);
}

/** Hours and minutes. */
export function clock(at) {
    return new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit" }).format(at);
}

const steps = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
];

function inUnit(durationMs) {
    const seconds = Math.max(Math.round(durationMs / 1000), 0);
    const [unit, size] = steps.find(([, each]) => seconds >= each) ?? steps[3];
    return [unit, Math.floor(seconds / size)];
}

/** A duration in its largest unit. Hours and days also show the next smaller unit, because rounding would hide too much. */
export function duration(durationMs) {
    const [unit, count] = inUnit(durationMs);
    const words = [unitWords(unit, count)];
    if (unit === "hour" || unit === "day") {
        const [next, rest] = inUnit(durationMs % (unit === "hour" ? 3_600_000 : 86_400_000));
        if (rest > 0 && next === (unit === "hour" ? "minute" : "hour")) words.push(unitWords(next, rest));
    }
    return words.join(" ");
}

function unitWords(unit, count) {
    return new Intl.NumberFormat(language(), { style: "unit", unit, unitDisplay: "short" }).format(count);
}

/** How long ago something was. */
export function ago(at, now) {
    const [unit, count] = inUnit(now - at);
    return new Intl.RelativeTimeFormat(language(), { style: "short", numeric: count === 0 ? "auto" : "always" }).format(-count, unit);
}
