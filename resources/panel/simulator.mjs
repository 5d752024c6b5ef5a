// The platform's side in the gateway panel, for a gateway on the built-in simulator: the actions of an application and of the platform.
import { button, element, setLines, setText, text } from "./words.mjs";

export class SimulatorPart {
    constructor(act) {
        this.#act = act;
        this.content = element("section", "wiotp-panel-simulator");
        this.#typeId = input("typeId", "");
        this.#deviceId = input("deviceId", "");
        this.#commandId = input("commandId", "restart");
        this.#payload = input("payload", "{}");
        this.#version = input("version", "2.0.0");
        this.#uri = input("uri", "https://example.com/firmware.bin");
        this.#link = button("cutLine", () => this.#run("simulator-link", { down: !this.#isLineCut }));
        this.#troubles = element("ul", "wiotp-panel-list");
        this.#requests = element("ul", "wiotp-panel-list");
        this.content.append(
            element("h4", "", text("simulator")),
            element("p", "wiotp-panel-quiet", text("simulatorHint")),
            row(this.#link),
            row(this.#typeId.label, this.#deviceId.label),
            row(
                this.#commandId.label,
                this.#payload.label,
                this.#forDevice("sendCommand", "simulator-command", () => this.#command()),
            ),
            row(this.#request("reboot", "device/reboot"), this.#request("factoryReset", "device/factoryReset")),
            row(this.#version.label, this.#uri.label),
            row(this.#request("download", "firmware/download", true), this.#request("update", "firmware/update")),
            row(...["refuse", "fail", "silent", "none"].map((kind) => this.#trouble(kind))),
            this.#troubles,
            this.#requests,
        );
    }

    #act;
    #typeId;
    #deviceId;
    #commandId;
    #payload;
    #version;
    #uri;
    #link;
    #troubles;
    #requests;
    #isLineCut = false;

    /** Shows what the simulated platform is doing. */
    show({ isLineCut, troubles, requests }, clientId) {
        this.#isLineCut = isLineCut;
        setText(this.#link, text(`action.${isLineCut ? "mendLine" : "cutLine"}`));
        setLines(
            this.#troubles,
            "",
            troubles.map(({ typeId, deviceId, kind }) => text(`trouble.${kind}`, { device: `${typeId}/${deviceId}` })),
        );
        setLines(this.#requests, "wiotp-panel-quiet", [...requests].reverse().map(requestWords));
        // The gateway itself, until another device is chosen.
        const [, , typeId, deviceId] = clientId.split(":");
        if (this.#typeId.value === "" && this.#deviceId.value === "") this.choose({ typeId, deviceId });
    }

    /** The panel shows another gateway, which has other devices. */
    clear() {
        this.choose({ typeId: "", deviceId: "" });
    }

    /** Selects a device. */
    choose({ typeId, deviceId }) {
        this.#typeId.value = typeId;
        this.#deviceId.value = deviceId;
    }

    get #device() {
        return { typeId: this.#typeId.value.trim(), deviceId: this.#deviceId.value.trim() };
    }

    #command() {
        return { commandId: this.#commandId.value.trim(), format: "json", payload: this.#payload.value };
    }

    #request(key, action, isDescribed = false) {
        const image = () => (isDescribed ? { version: this.#version.value.trim(), uri: this.#uri.value.trim() } : {});
        return this.#forDevice(key, "simulator-request", () => ({ action, ...image() }));
    }

    #trouble(kind) {
        return this.#forDevice(kind, "simulator-trouble", () => ({ kind }));
    }

    #forDevice(key, action, body) {
        return button(key, () => this.#run(action, { ...this.#device, ...body() }));
    }

    #run(action, body) {
        this.#act.onSimulator(action, body);
    }
}

function requestWords({ action, typeId, deviceId, status, rc, message }) {
    const words = [`${typeId}/${deviceId} ${action}`, text(`status.${status}`), rc === undefined ? "" : `RC ${rc}`, message];
    return words.filter(Boolean).join(" · ");
}

function row(...parts) {
    const made = element("div", "wiotp-panel-row");
    made.append(...parts);
    return made;
}

/** A small input with a label and a value. */
function input(key, value) {
    const field = element("input");
    field.type = "text";
    field.value = value;
    field.dataset.field = key;
    const label = element("label", "", text(`field.${key}`));
    label.append(field);
    return {
        label,
        get value() {
            return field.value;
        },
        set value(next) {
            field.value = next;
        },
    };
}
