// The requests of the gateway panel. All paths are relative, because the editor may be served below another path.

const ofGateway = (id, what) => `gateway-config/${encodeURIComponent(id)}/${what}`;
/** A hanging server must not leave stale numbers on display. An action may take longer. */
const patienceMs = 10_000;
const get = (url, query) => globalThis.$.ajax({ url, data: query, dataType: "json", timeout: patienceMs });
const post = (url, body, timeout = 0) =>
    globalThis.$.ajax({ url, method: "POST", contentType: "application/json", dataType: "json", data: JSON.stringify(body), timeout });

let library;

/** The chart library, loaded when the panel is opened for the first time. */
function chartLibrary() {
    library ??= Promise.all([
        globalThis.$.ajax({ url: "wiotp-gateway/uplot.css", dataType: "text", cache: true }),
        globalThis.$.ajax({ url: "wiotp-gateway/uplot.js", dataType: "script", cache: true }),
    ]).then(([styles]) => {
        const style = document.createElement("style");
        style.textContent = styles;
        document.head.append(style);
        return globalThis.wiotpPanel.uPlot;
    });
    // The next call tries again.
    library.catch(() => {
        library = undefined;
    });
    return library;
}

/** Why a request failed, as a key of the catalogue. */
function failureKey(status) {
    if (status === 401 || status === 403) return "forbidden";
    return status === 404 ? "notDeployed" : "unreachable";
}

/** Downloads a file. The request carries the login, which a plain link would not. */
function download(url, name) {
    return globalThis.$.ajax({ url, dataType: "text" }).done((content) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
        link.download = name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    });
}

export const server = {
    gateways: () => get("wiotp-gateway/state"),
    watch: (id) => post(ofGateway(id, "watch"), {}, patienceMs),
    history: (id) => get(ofGateway(id, "history")),
    devices: (id, query) => get(ofGateway(id, "devices"), query),
    notifications: (id) => get(ofGateway(id, "notifications")),
    requests: (id) => get(ofGateway(id, "requests")),
    commands: (id) => get(ofGateway(id, "commands")),
    suspects: (id) => get(ofGateway(id, "suspects")),
    undelivered: (id, query) => get(ofGateway(id, "undelivered"), query),
    exportUndelivered: (id, query) =>
        download(`${ofGateway(id, "undelivered/export")}?${new URLSearchParams(query)}`, "wiotp-gateway-undelivered.jsonl"),
    act: (id, action, body) => post(ofGateway(id, `actions/${action}`), body),
    diagnostics: () => download("wiotp-gateway/diagnostics", "wiotp-gateway-diagnostics.json"),
    chartLibrary,
    failureKey,
    mayWrite: () => globalThis.RED.user.hasPermission("gateway-config.write"),
};
