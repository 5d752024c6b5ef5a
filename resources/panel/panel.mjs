// The sidebar tab "IoT Gateway": chooses a gateway, looks at it while the tab is visible, and keeps quiet otherwise.
import * as actions from "./actions.mjs";
import { Charts } from "./charts.mjs";
import { Devices } from "./devices.mjs";
import { describe, RecentList } from "./lists.mjs";
import { Samples } from "./samples.mjs";
import { server } from "./server.mjs";
import { SimulatorPart } from "./simulator.mjs";
import { Summary } from "./summary.mjs";
import { button, element, text } from "./words.mjs";

const tabId = "wiotp-gateway";
const renewMs = 5_000;
const devicesMs = 3_000;

class Panel {
    constructor() {
        const act = {
            mayWrite: server.mayWrite,
            reconnect: () => this.#confirmed("reconnect", {}, "reconnect"),
            onDevice: (key, { typeId, deviceId }) => this.#confirmed(key, { device: `${typeId}/${deviceId}` }, key, { typeId, deviceId }),
            onSimulator: (action, body) => this.#act(action, body),
            opened: (device) => this.#simulator.choose(device),
        };
        this.#select = element("select", "wiotp-panel-gateways");
        this.#select.setAttribute("aria-label", text("chooseGateway"));
        this.#message = element("p", "wiotp-panel-message");
        this.#summary = new Summary(act);
        this.#charts = new Charts();
        this.#devices = new Devices(act);
        this.#notifications = new RecentList("notifications", describe.notification);
        this.#requests = new RecentList("requests", describe.request);
        this.#simulator = new SimulatorPart(act);
        this.content = element("div", "wiotp-panel");
        this.#body = element("div", "wiotp-panel-body");
        const header = element("div", "red-ui-sidebar-header wiotp-panel-header");
        header.append(
            this.#select,
            button("diagnostics", () => this.#diagnostics()),
        );
        const parts = [this.#summary, this.#charts, this.#devices, this.#notifications, this.#requests, this.#simulator];
        this.#body.append(this.#message, ...parts.map(({ content }) => content));
        this.content.append(header, this.#body);
        this.#select.addEventListener("change", () => this.#choose(this.#select.value));
        this.#devices.onChanged = () => this.#refreshDevices();
        this.#charts.onSpanChanged = () => this.#draw();
        // Several changes may be told at once, the last one counts.
        new IntersectionObserver((entries) => this.#seen(entries.at(-1).isIntersecting)).observe(this.content);
        document.addEventListener("visibilitychange", () => this.#look());
        globalThis.RED.events.on("deploy", () => this.#isLooking && this.#loadGateways());
    }

    #select;
    #message;
    #body;
    #summary;
    #charts;
    #devices;
    #notifications;
    #requests;
    #simulator;
    #samples = new Samples();
    #isOnScreen = false;
    #isLooking = false;
    #id = "";
    #view;
    #lists = {};
    /** The server's clock less this machine's. */
    #skewMs = 0;
    #timers = [];
    #isAskingDevices = false;
    #listener = (_topic, view) => this.#show(view);

    get #now() {
        return Date.now() + this.#skewMs;
    }

    #seen(isOnScreen) {
        this.#isOnScreen = isOnScreen;
        this.#look();
    }

    /** Begins or ends to look; while nobody looks, nothing is asked and the server sends nothing. */
    #look() {
        const isLooking = this.#isOnScreen && !document.hidden;
        if (isLooking === this.#isLooking) return;
        this.#isLooking = isLooking;
        this.#timers.splice(0).forEach(clearInterval);
        if (isLooking) {
            this.#timers = [
                setInterval(() => this.#renew(), renewMs),
                setInterval(() => this.#refreshDevices(), devicesMs),
                setInterval(() => this.#tick(), 1_000),
            ];
            this.#loadGateways();
        } else {
            this.#unsubscribe();
        }
    }

    #loadGateways() {
        server
            .gateways()
            .done(({ gateways }) => {
                const sorted = [...gateways].sort((one, other) => labelOf(one).localeCompare(labelOf(other)));
                const options = sorted.map((entry) => new Option(labelOf(entry), entry.id));
                this.#select.replaceChildren(...options);
                const known = sorted.some(({ id }) => id === this.#id) ? this.#id : (sorted[0]?.id ?? "");
                this.#select.value = known;
                if (known === "") this.#hide("noGateway");
                else this.#choose(known);
            })
            .fail(({ status }) => this.#hide(status === 404 ? "unreachable" : server.failureKey(status)));
    }

    #choose(id) {
        this.#unsubscribe();
        if (id !== this.#id) {
            this.#view = undefined;
            this.#samples.restart([]);
            this.#devices.clear();
            this.#notifications.show([]);
            this.#requests.show([]);
        }
        this.#id = id;
        this.#lists = {};
        globalThis.RED.comms.subscribe(`wiotp-gateway/${id}`, this.#listener);
        server
            .history(id)
            .done((history) => id === this.#id && this.#samples.restart(history))
            .always(() => this.#renew());
        this.#refreshDevices();
    }

    #unsubscribe() {
        if (this.#id !== "") globalThis.RED.comms.unsubscribe(`wiotp-gateway/${this.#id}`, this.#listener);
    }

    #renew() {
        const id = this.#id;
        if (id === "") return;
        server
            .watch(id)
            .done((view) => this.#show(view))
            .fail(({ status }) => {
                if (id !== this.#id) return;
                if (status === 404) this.#loadGatewaysOnce();
                else this.#hide(server.failureKey(status));
            });
    }

    /** The gateway is gone: others may be there. */
    #loadGatewaysOnce() {
        this.#id = "";
        this.#loadGateways();
    }

    #show(view) {
        if (!this.#isLooking || view.id !== this.#id) return;
        this.#view = view;
        this.#skewMs = view.at - Date.now();
        this.#message.textContent = "";
        this.#body.classList.toggle("wiotp-panel-empty", false);
        const { gateway, lists, simulator } = view;
        if (gateway) {
            const { eventsAccepted, eventsPublished } = gateway.totals;
            const isOnline = gateway.connection.phase === "online";
            this.#samples.add({ at: view.at, isOnline, queued: gateway.outbox.events, eventsAccepted, eventsPublished });
        }
        for (const part of [this.#charts, this.#devices, this.#notifications, this.#requests]) part.content.hidden = !gateway;
        this.#simulator.content.hidden = !simulator || !server.mayWrite();
        if (simulator) this.#simulator.show(simulator, gateway.clientId);
        this.#tick();
        this.#refreshLists(lists);
    }

    /** What changes with time alone. */
    #tick() {
        if (!this.#view) return;
        this.#summary.show(this.#view, this.#samples.rates, this.#now, server.mayWrite());
        this.#draw();
    }

    #draw() {
        if (!this.#view?.gateway) return;
        this.#charts.draw(this.#samples, this.#now).catch(() => {
            this.#charts.content.hidden = true;
        });
    }

    #refreshLists(lists) {
        const id = this.#id;
        for (const [name, list] of [
            ["notifications", this.#notifications],
            ["requests", this.#requests],
        ]) {
            if (!lists || lists[name] === this.#lists[name]) continue;
            this.#lists[name] = lists[name];
            server[name](id).done((items) => id === this.#id && list.show(items));
        }
    }

    /** One question at a time: a server that is busy is not asked more often. */
    #refreshDevices() {
        if (this.#id === "" || !this.#isLooking) return;
        if (this.#isAskingDevices) return;
        this.#isAskingDevices = true;
        const { query } = this.#devices;
        this.#devices
            .refresh(this.#id, () => this.#now)
            .always(() => {
                this.#isAskingDevices = false;
                // What was typed meanwhile counts.
                if (JSON.stringify(query) !== JSON.stringify(this.#devices.query)) this.#refreshDevices();
            });
    }

    #confirmed(key, parameters, action, body) {
        actions.confirm(key, parameters, () => this.#act(action, body));
    }

    #act(action, body = {}) {
        const id = this.#id;
        actions.run(id, action, body, () => {
            this.#renew();
            this.#refreshDevices();
        });
    }

    #diagnostics() {
        server.diagnostics().fail(({ status }) => actions.say(text(server.failureKey(status)), "error"));
    }

    #hide(key) {
        this.#unsubscribe();
        this.#id = "";
        this.#view = undefined;
        this.#body.classList.toggle("wiotp-panel-empty", true);
        this.#message.textContent = text(key);
    }
}

function labelOf({ id, name, gateway }) {
    return name || gateway?.clientId || id;
}

/** Adds the tab to the sidebar. */
export function start() {
    const { content } = new Panel();
    globalThis.RED.sidebar.addTab({
        id: tabId,
        label: text("tab"),
        name: text("title"),
        iconClass: "fa fa-exchange",
        content,
        enableOnEdit: true,
    });
    globalThis.RED.actions.add("wiotp-gateway:show-panel", () => globalThis.RED.sidebar.show(tabId));
}
