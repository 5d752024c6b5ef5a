import type { Faults } from "../faults";
import { isObject, parseJson } from "../json";
import type { Settings } from "../options";
import type { Registry } from "../registration/registry";
import type { Message } from "../sessions/message";
import type { Timers } from "../timers";
import { deviceOf } from "../topic-form";
import type { Answer } from "./answer";
import { answerDeviceRequest } from "./device-requests";
import { Dialogue } from "./dialogue";
import { ManagedDevice } from "./managed-device";
import { Requests } from "./requests";

const deviceLevels = 5;

/** The device-management server of one organisation: it answers devices and sends them the requests of applications. */
export class ManagementServer {
    /** Requests from the platform to devices. */
    readonly requests: Requests;
    readonly #registry: Registry;
    readonly #publishMessage: (message: Message) => void;
    readonly #settings: Settings;
    readonly #faults: Faults;
    readonly #timers: Timers;
    readonly #devices = new Map<string, ManagedDevice>();
    readonly #asked = new Map<string, Dialogue>();
    readonly #dialogues = new Map<ManagedDevice, Set<Dialogue>>();
    readonly #busy = new Set<ManagedDevice>();
    #strayAnswers = 0;

    constructor({ registry, publish, settings, faults, timers }: ManagementDeps) {
        this.#registry = registry;
        this.#publishMessage = publish;
        this.#settings = settings;
        this.#faults = faults;
        this.#timers = timers;
        this.requests = new Requests({
            activeDevice: (typeId, deviceId) => this.#activeDevice(typeId, deviceId),
            open: (device) => this.#open(device),
            close: (dialogue) => this.#close(dialogue),
            after: (delayMs, action) => timers.after(delayMs, action),
            now: () => timers.now(),
            createId: settings.createId,
        });
    }

    /** How many answers of devices belonged to no open question: late, repeated or unasked ones. */
    get strayAnswers(): number {
        return this.#strayAnswers;
    }

    /** A device's record; `undefined` when it never sent a management message. */
    device(typeId: string, deviceId: string): ManagedDevice | undefined {
        return this.#devices.get(`${typeId}/${deviceId}`);
    }

    /** Whether a device is managed and not dormant. */
    isManaged(typeId: string, deviceId: string): boolean {
        return this.#activeDevice(typeId, deviceId) !== undefined;
    }

    /** Handles a management message of a device or gateway. The topic is the platform's form of it. */
    receive(topic: string, payload: Buffer): void {
        const levels = topic.split("/");
        const name = deviceOf(levels);
        const message = parseJson(payload.toString("utf8"));
        if (!name) return;
        const suffix = levels.slice(deviceLevels).join("/");
        const reqId = isObject(message) && typeof message.reqId === "string" ? message.reqId : undefined;
        if (suffix === "response") {
            this.#receiveAnswer(reqId, message);
            return;
        }
        // A message that is no JSON object has no request id, so it gets no answer.
        if (!isObject(message)) return;
        const rule = this.#faults.take("management", `${name.typeId}/${name.deviceId}`, suffix);
        if (rule?.never) return;
        if (!this.#registry.device(name.typeId, name.deviceId)) {
            this.#reply(topic, reqId, { rc: 404, message: "The device is not registered." });
            return;
        }
        const device = this.#known(name.typeId, name.deviceId);
        if (this.#busy.has(device)) {
            this.#reply(topic, reqId, { rc: 409, message: "Another request of the device is being worked on." });
        } else if (rule) {
            this.#later(device, rule.delayMs ?? 0, () => this.#reply(topic, reqId, this.#carryOut(device, suffix, message.d, rule.rc)));
        } else if (!this.#isIgnored(suffix, message.d)) {
            this.#reply(topic, reqId, this.#carryOut(device, suffix, message.d, undefined));
        }
    }

    /** Changes an attribute of a device, as an application does. It expects no answer, as the platform does for locations. */
    update(typeId: string, deviceId: string, field: string, value: unknown): void {
        this.#publish(typeId, deviceId, "device/update", { d: { fields: [{ field, value }] } });
    }

    #carryOut(device: ManagedDevice, suffix: string, d: unknown, rc: number | undefined): Answer {
        if (rc !== undefined) return { rc, message: "A fault of the simulator gives this answer." };
        const now = this.#timers.now();
        const answer = answerDeviceRequest(device, suffix, d, { now, bundles: this.#settings.bundles });
        if (answer.rc !== 200) return answer;
        for (const dialogue of this.#dialogues.get(device) ?? []) {
            if (suffix === "mgmt/manage") dialogue.managed();
            if (suffix === "notify") dialogue.notified(device.firmware);
        }
        return answer;
    }

    /** A manage request with an empty deviceInfo: the real server was seen to leave it unanswered. */
    #isIgnored(suffix: string, d: unknown): boolean {
        const info = suffix === "mgmt/manage" && isObject(d) ? d.deviceInfo : undefined;
        return this.#settings.ignoreEmptyDeviceInfo && isObject(info) && Object.keys(info).length === 0;
    }

    #later(device: ManagedDevice, delayMs: number, action: () => void): void {
        this.#busy.add(device);
        this.#timers.after(delayMs, () => {
            this.#busy.delete(device);
            action();
        });
    }

    #receiveAnswer(reqId: string | undefined, message: unknown): void {
        const dialogue = reqId === undefined ? undefined : this.#asked.get(reqId);
        if (reqId === undefined || !dialogue || !isObject(message)) {
            this.#strayAnswers++;
            return;
        }
        const { rc, message: text, d } = message;
        const isCode = typeof rc === "number" && Number.isInteger(rc);
        const answer: Answer = isCode ? { rc } : { rc: 400, message: "The answer's rc is not a whole number." };
        if (isCode && typeof text === "string") answer.message = text;
        if (d !== undefined) answer.d = d;
        this.#asked.delete(reqId);
        if (!dialogue.answer(reqId, answer)) this.#strayAnswers++;
    }

    #activeDevice(typeId: string, deviceId: string): ManagedDevice | undefined {
        const device = this.device(typeId, deviceId);
        return device?.isActive(this.#timers.now()) ? device : undefined;
    }

    #known(typeId: string, deviceId: string): ManagedDevice {
        const key = `${typeId}/${deviceId}`;
        const existing = this.#devices.get(key);
        if (existing) return existing;
        const created = new ManagedDevice(typeId, deviceId);
        this.#devices.set(key, created);
        return created;
    }

    #open(device: ManagedDevice): Dialogue {
        const dialogue = new Dialogue(device, this.#settings.createId, (asking, suffix, reqId, d) => {
            this.#asked.set(reqId, asking);
            const times = this.#faults.take("repeatRequest", `${device.typeId}/${device.deviceId}`, suffix) ? 2 : 1;
            for (let sent = 0; sent < times; sent++)
                this.#publish(device.typeId, device.deviceId, suffix, { ...(d === undefined ? {} : { d }), reqId });
        });
        const open = this.#dialogues.get(device) ?? new Set();
        this.#dialogues.set(device, open.add(dialogue));
        return dialogue;
    }

    #close(dialogue: Dialogue): void {
        this.#asked.delete(dialogue.reqId);
        const open = this.#dialogues.get(dialogue.device);
        open?.delete(dialogue);
        if (open?.size === 0) this.#dialogues.delete(dialogue.device);
    }

    #reply(topic: string, reqId: string | undefined, answer: Answer): void {
        const device = deviceOf(topic.split("/"));
        if (!device) return;
        this.#settings.onEvent({ event: "management", device: `${device.typeId}/${device.deviceId}`, topic, code: answer.rc });
        if (reqId !== undefined) this.#publish(device.typeId, device.deviceId, "response", { ...answer, reqId });
    }

    #publish(typeId: string, deviceId: string, suffix: string, body: object): void {
        const payload = Buffer.from(JSON.stringify(body));
        this.#publishMessage({ topic: `iotdm-1/type/${typeId}/id/${deviceId}/${suffix}`, payload, qos: 1 });
    }
}

/** What the server works with. */
export interface ManagementDeps {
    registry: Registry;
    publish: (message: Message) => void;
    settings: Settings;
    faults: Faults;
    timers: Timers;
}
