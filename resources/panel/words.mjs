// Words, numbers, times and elements of the gateway panel. All text becomes text nodes: ids and the platform's words are not trusted.

const catalogue = "node-red-contrib-wiotp-gateway/gateway-panel:gateway-panel";

/** The words of a key, in the editor's language. */
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

/** A duration in its largest unit. */
export function duration(durationMs) {
    const [unit, count] = inUnit(durationMs);
    return new Intl.NumberFormat(language(), { style: "unit", unit, unitDisplay: "short" }).format(count);
}

/** How long ago something was. */
export function ago(at, now) {
    const [unit, count] = inUnit(now - at);
    return new Intl.RelativeTimeFormat(language(), { style: "short", numeric: count === 0 ? "auto" : "always" }).format(-count, unit);
}
