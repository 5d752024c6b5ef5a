// The sidebar tab "IoT Gateway": shows the selected gateway while it is visible, and is idle otherwise.
import * as actions from "./actions.mjs";
import { GatewayChoice } from "./choice.mjs";
import { GatewayView } from "./gateway-view.mjs";
import { onPresence } from "./presence.mjs";
import { server } from "./server.mjs";
import { Watch } from "./watch.mjs";
import { button, element, setText, text } from "./words.mjs";

const tabId = "wiotp-gateway";
const renewMs = 5_000;
const devicesMs = 3_000;

class Panel {
    constructor() {
        this.#choice = new GatewayChoice(() => this.#begin());
        this.#watch = new Watch({ seen: (view) => this.#show(view), failed: (status) => this.#failed(status) });
        this.#view = new GatewayView({
            mayWrite: server.mayWrite,
            onGateway: (key) => this.#confirmed(key, {}, {}),
            onDevice: (key, { typeId, deviceId }) => this.#confirmed(key, { device: `${typeId}/${deviceId}` }, { typeId, deviceId }),
            onSuspect: ({ id, name }) => this.#confirmed("releaseSuspect", { topic: name }, { id }),
            onUndelivered: (key, parameters, body) => {
                const { id } = this.#choice;
                const action = key.startsWith("resend") ? "resendUndelivered" : "deleteUndelivered";
                actions.confirm(key, parameters, () => this.#act(id, action, body));
            },
            failed: (status) => actions.say(text(server.failureKey(status)), "error"),
            onSimulator: (action, body) => this.#act(this.#choice.id, action, body),
        });
        this.#message = element("p", "wiotp-panel-message");
        this.#message.setAttribute("role", "status");
        this.#body = element("div", "wiotp-panel-body wiotp-panel-empty");
        this.#body.append(this.#message, ...this.#view.contents);
        const header = element("div", "red-ui-sidebar-header wiotp-panel-header");
        header.append(
            this.#choice.content,
            button("diagnostics", () => this.#diagnostics()),
        );
        this.content = element("div", "wiotp-panel");
        this.content.append(header, this.#body);
        onPresence(this.content, (isLooking) => this.#look(isLooking));
        // Also fires when the editor has reconnected to the server.
        globalThis.RED.comms.subscribe("notification/runtime-deploy", () => this.#loadGateways());
    }

    #choice;
    #watch;
    #view;
    #message;
    #body;
    #isLooking = false;
    #isForbidden = false;
    #timers = [];
    #asked = 0;

    /** The panel becomes visible or hidden. While it is hidden, it requests nothing, and the server sends nothing. */
    #look(isLooking) {
        this.#isLooking = isLooking;
        this.#timers.splice(0).forEach(clearInterval);
        if (isLooking) {
            this.#timers = [
                setInterval(() => this.#renew(), renewMs),
                setInterval(() => this.#isShown && this.#view.refreshDevices(), devicesMs),
                setInterval(() => this.#isShown && this.#view.tick(), 1_000),
            ];
            this.#loadGateways();
        } else {
            this.#watch.end();
        }
    }

    /** Whether the panel shows a gateway instead of a sentence that explains why there is none. */
    get #isShown() {
        return this.#watch.id !== "";
    }

    /** A missing gateway or an unreachable server may be back. */
    #renew() {
        if (this.#isShown) this.#watch.renew();
        else if (!this.#isForbidden) this.#loadGateways();
    }

    #loadGateways() {
        if (!this.#isLooking) return;
        this.#asked += 1;
        const asked = this.#asked;
        const isWanted = () => asked === this.#asked && this.#isLooking;
        server
            .gateways()
            .done(({ gateways }) => isWanted() && this.#listed(gateways))
            .fail(({ status }) => isWanted() && this.#hide(status === 404 ? "unreachable" : server.failureKey(status)));
    }

    #listed(gateways) {
        this.#choice.list(gateways);
        if (this.#choice.isThere) this.#begin();
        else this.#hide(this.#choice.id === "" ? "noGateway" : "notDeployed");
    }

    #begin() {
        const { id } = this.#choice;
        // No data of one gateway appears below the name of another one.
        if (this.#view.begin(id)) this.#body.classList.toggle("wiotp-panel-empty", true);
        this.#watch.begin(id);
    }

    #show(view) {
        this.#isForbidden = false;
        setText(this.#message, "");
        this.#body.classList.toggle("wiotp-panel-empty", false);
        this.#choice.rename(view);
        this.#view.show(view);
    }

    #failed(status) {
        if (status === 404) this.#loadGateways();
        else this.#hide(server.failureKey(status));
    }

    /** Shows a sentence in place of a gateway. */
    #hide(key) {
        this.#watch.end();
        this.#isForbidden = key === "forbidden";
        this.#body.classList.toggle("wiotp-panel-empty", true);
        setText(this.#message, text(key));
    }

    /** The action is for the gateway shown when the question appears, even if the panel shows another one by the time of the answer. */
    #confirmed(action, parameters, body) {
        const { id } = this.#choice;
        actions.confirm(action, parameters, () => this.#act(id, action, body));
    }

    #act(id, action, body) {
        actions.run(id, action, body, () => {
            if (!this.#isShown) return;
            this.#watch.renew();
            this.#view.refreshDevices();
        });
    }

    #diagnostics() {
        server.diagnostics().fail(({ status }) => actions.say(text(server.failureKey(status)), "error"));
    }
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
