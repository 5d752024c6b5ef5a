import type { Faults } from "./faults";
import { ManagementServer } from "./management/management-server";
import type { Settings } from "./options";
import { FrontEnd } from "./registration/front-end";
import { Registry } from "./registration/registry";
import type { Message } from "./sessions/message";
import { TopicSpace } from "./sessions/topic-space";
import type { Timers } from "./timers";
import type { DeviceName } from "./topic-form";

const maxMovedClients = 1000;

/** One organisation: its registry, device management, and the messages between its clients. Every topic inside it names its device. */
export class Organisation extends TopicSpace {
    readonly name: string;
    readonly registry: Registry;
    readonly management: ManagementServer;
    readonly #newFrontEnd: () => FrontEnd;
    #frontEnd: FrontEnd;
    /** By the client id of a gateway that was moved. */
    readonly #otherFrontEnds = new Map<string, FrontEnd>();

    constructor(name: string, settings: Settings, faults: Faults, timers: Timers) {
        super(settings, faults);
        this.name = name;
        this.registry = new Registry(settings.registration, faults, timers, settings.onEvent);
        this.#newFrontEnd = () => new FrontEnd(this.registry, settings.registration, timers);
        this.#frontEnd = this.#newFrontEnd();
        this.management = new ManagementServer({
            registry: this.registry,
            publish: (message) => this.publish(message),
            settings,
            faults,
            timers,
        });
    }

    /** Delivers a message to every subscription that matches it, or to device management. Returns the copies made. */
    override publish(message: Message): number {
        if (!message.topic.startsWith("iotdevice-1/")) return super.publish(message);
        this.management.receive(message.topic, message.payload);
        return 0;
    }

    /** The front end that serves the next connection of a client. */
    frontEndOf(clientId: string): FrontEnd {
        return this.#otherFrontEnds.get(clientId) ?? this.#frontEnd;
    }

    /** Replaces every front end by one with an empty memory. Registry and sessions stay. */
    restartFrontEnd(): void {
        this.#frontEnd = this.#newFrontEnd();
        this.#otherFrontEnds.clear();
    }

    /** Has the next connections of a client served by another front end, whose memory is empty. */
    moveToOtherFrontEnd(clientId: string): void {
        this.#otherFrontEnds.delete(clientId);
        this.#otherFrontEnds.set(clientId, this.#newFrontEnd());
        const [oldest] = this.#otherFrontEnds.keys();
        if (oldest !== undefined && this.#otherFrontEnds.size > maxMovedClients) this.#otherFrontEnds.delete(oldest);
    }

    /** Makes the front ends forget a device, or all: back-offs end, and the next message is checked with the registry. */
    forgetChecks(device?: DeviceName): void {
        for (const frontEnd of this.#frontEnds()) frontEnd.forget(device);
    }

    /** Puts a device into the back-off, as the refusal of another gateway's message does. */
    backOff(device: DeviceName): void {
        for (const frontEnd of this.#frontEnds()) frontEnd.backOff(device);
    }

    /** Disables a device or gateway, or enables it again. A disabled one loses its connection. */
    setDisabled(typeId: string, deviceId: string, disabled: boolean): void {
        this.registry.setDisabled(typeId, deviceId, disabled);
        this.forgetChecks({ typeId, deviceId });
        if (!disabled) return;
        for (const clientClass of ["g", "d"]) this.clients.get(`${clientClass}:${this.name}:${typeId}:${deviceId}`)?.close(180);
    }

    #frontEnds(): readonly FrontEnd[] {
        return [this.#frontEnd, ...this.#otherFrontEnds.values()];
    }
}
