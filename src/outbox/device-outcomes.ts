import type { GatewayError } from "../errors";
import type { EventLifecycle } from "./event-lifecycle";
import type { DeviceGate, DeviceVerbs } from "./ports";
import type { OutboxEntry } from "./queue/outbox-entry";
import type { WaitingEvents } from "./queue/waiting-events";
import type { Dispatcher } from "./sending/dispatcher";

/** Carries out what was found out about one device: how its check ended, and whether the platform takes its events. */
export class DeviceOutcomes implements DeviceVerbs {
    readonly #options: DeviceOutcomesOptions;

    constructor(options: DeviceOutcomesOptions) {
        this.#options = options;
    }

    confirm(device: string): void {
        const { waiting, lifecycle, dispatcher } = this.#options;
        const queue = waiting.devices.of(device);
        const check = queue?.endCheck();
        if (!queue || !check) return;
        check.confirmed();
        if (check.state === "acknowledged") {
            dispatcher.delivered(check);
            if (check.isSettled) lifecycle.settled(check);
        }
        queue.enlist(false);
        this.#wake(device);
        dispatcher.pump();
    }

    requeue(device: string): void {
        const { waiting, dispatcher } = this.#options;
        const queue = waiting.devices.of(device);
        const check = queue?.endCheck();
        if (!queue || !check) return;
        queue.wait();
        dispatcher.takeBack([check]);
        waiting.devices.askHeld(queue);
        dispatcher.pump();
    }

    drop(device: string, error: GatewayError): void {
        const { waiting, lifecycle, dispatcher } = this.#options;
        const queue = waiting.devices.of(device);
        const check = queue?.endCheck();
        if (!queue || !check) return;
        queue.enlist(false);
        lifecycle.refuse(check, error);
        this.#wake(device);
        dispatcher.pump();
    }

    recall(device: string): void {
        const { waiting, dispatcher } = this.#options;
        const unsettled: OutboxEntry[] = [];
        for (const entry of dispatcher.window) if (entry.device === device) unsettled.push(entry);
        const queue = unsettled.length > 0 ? waiting.devices.for(device) : waiting.devices.of(device);
        if (!queue) return;
        queue.endCheck();
        queue.wait();
        dispatcher.takeBack(unsettled);
        waiting.stop(queue);
        waiting.devices.askHeld(queue);
        dispatcher.pump();
    }

    wake(device: string): void {
        const { waiting, gate, dispatcher } = this.#options;
        if (!waiting.devices.of(device)) {
            gate.withdraw(device);
            return;
        }
        this.#wake(device);
        dispatcher.pump();
    }

    #wake(device: string): void {
        const { devices } = this.#options.waiting;
        const queue = devices.of(device);
        if (!queue || queue.check) return;
        devices.askHeld(queue);
        this.#options.waiting.wake(queue);
    }
}

/** What the outcomes are carried out on. */
export interface DeviceOutcomesOptions {
    readonly gate: DeviceGate;
    readonly waiting: WaitingEvents;
    readonly dispatcher: Dispatcher;
    readonly lifecycle: EventLifecycle;
}
