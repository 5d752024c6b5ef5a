// Everything that the panel shows of one gateway.
import { Charts } from "./charts.mjs";
import { Devices } from "./devices.mjs";
import { describe, RecentList } from "./lists.mjs";
import { Samples } from "./samples.mjs";
import { server } from "./server.mjs";
import { SimulatorPart } from "./simulator.mjs";
import { Summary } from "./summary.mjs";
import { Suspects } from "./suspects.mjs";
import { Undelivered } from "./undelivered.mjs";

export class GatewayView {
    constructor(act) {
        this.#summary = new Summary(act);
        this.#charts = new Charts();
        this.#devices = new Devices({ ...act, opened: (device) => this.#simulator.choose(device) });
        this.#lists = {
            notifications: new RecentList("notifications", describe.notification),
            commands: new RecentList("commands", describe.command),
            requests: new RecentList("requests", describe.request),
        };
        this.#suspects = new Suspects(act);
        this.#undelivered = new Undelivered(act);
        this.#simulator = new SimulatorPart(act);
        this.#devices.onChanged = () => this.refreshDevices();
        this.#charts.onSpanChanged = () => this.#draw();
    }

    #summary;
    #charts;
    #devices;
    #lists;
    #suspects;
    #undelivered;
    #simulator;
    #samples = new Samples();
    #id = "";
    /** The displayed view. */
    #view;
    /** The displayed version of each list, by the number that changes with it. */
    #versions = {};
    #hasHistory = false;
    /** The server's clock minus this machine's. */
    #skewMs = 0;
    #isAskingDevices = false;

    /** The running parts; empty without a gateway. */
    get #running() {
        return [this.#charts, this.#devices, ...Object.values(this.#lists)];
    }

    get contents() {
        return [this.#summary, this.#suspects, this.#undelivered, ...this.#running, this.#simulator].map(({ content }) => content);
    }

    get #now() {
        return Date.now() + this.#skewMs;
    }

    /** Switches to a gateway, even to the same one: it may have new settings after a deploy. Returns whether it is another one. */
    begin(id) {
        const isOther = id !== this.#id;
        if (isOther) {
            this.#view = undefined;
            this.#samples.restart([]);
            this.#devices.clear();
            for (const list of Object.values(this.#lists)) list.show([]);
            this.#suspects.show([]);
            this.#undelivered.clear();
            this.#simulator.clear();
        }
        this.#id = id;
        this.#versions = {};
        this.#hasHistory = false;
        return isOther;
    }

    /** Shows the gateway as it is now. */
    show(view) {
        this.#view = view;
        this.#skewMs = view.at - Date.now();
        const { gateway, lists, simulator } = view;
        for (const { content } of this.#running) content.hidden = !gateway;
        this.#suspects.hide(!gateway);
        this.#undelivered.show(this.#id, gateway?.outbox.undelivered ?? 0);
        this.#simulator.content.hidden = !simulator || !server.mayWrite();
        if (simulator) this.#simulator.show(simulator, gateway.clientId);
        if (gateway) this.#showRunning(gateway, lists, view.at);
        this.#hasHistory = gateway !== undefined;
        this.tick();
    }

    /** Updates the texts that change with time alone. */
    tick() {
        if (!this.#view) return;
        this.#summary.show(this.#view, this.#samples.rates, this.#now, server.mayWrite());
        this.#draw();
    }

    /** Requests the devices, one request at a time: a busy server receives no further requests. */
    refreshDevices() {
        if (!this.#view?.gateway || this.#isAskingDevices) return;
        // What waits to be handed over gets into the list later than into the number.
        this.#undelivered.refresh();
        this.#isAskingDevices = true;
        const question = () => JSON.stringify([this.#id, this.#devices.query]);
        const asked = question();
        this.#devices
            .refresh(this.#id, () => this.#now)
            .always(() => {
                this.#isAskingDevices = false;
                // Input made in the meantime counts.
                if (asked !== question()) this.refreshDevices();
            });
    }

    #showRunning({ connection, outbox, totals }, lists, at) {
        const { eventsReceived, eventsPublished } = totals;
        this.#samples.add({ at, isOnline: connection.phase === "online", queued: outbox.events, eventsReceived, eventsPublished });
        this.#refreshLists(lists);
        if (this.#hasHistory) return;
        const id = this.#id;
        server.history(id).done((history) => id === this.#id && this.#samples.restart(history));
        this.refreshDevices();
    }

    #draw() {
        if (!this.#view?.gateway) return;
        this.#charts.draw(this.#samples, this.#now).catch(() => {
            this.#charts.content.hidden = true;
        });
    }

    #refreshLists(versions) {
        const id = this.#id;
        for (const [name, list] of Object.entries({ ...this.#lists, suspects: this.#suspects })) {
            const version = versions[name];
            if (version === this.#versions[name]) continue;
            server[name](id).done((items) => {
                if (id !== this.#id) return;
                this.#versions[name] = version;
                list.show(items);
            });
        }
    }
}
