import type { GatewayError } from "../errors";
import type { EventLifecycle } from "./event-lifecycle";
import type { DeviceGate } from "./ports";
import type { DeviceQueues } from "./queue/device-queues";
import type { WaitingEvents } from "./queue/waiting-events";
import type { Dispatcher } from "./sending/dispatcher";

/** Carries out what was found out about one device: how its registration attempt ended, and whether the platform takes its events. */
export class DeviceOutcomes {
    readonly #waiting: WaitingEvents;
    readonly #queues: DeviceQueues;
    readonly #dispatcher: Dispatcher;
    readonly #lifecycle: EventLifecycle;
    readonly #gate: DeviceGate;

    constructor({ waiting, dispatcher, lifecycle, gate }: DeviceOutcomesDeps) {
        this.#gate = gate;
        this.#waiting = waiting;
        this.#queues = waiting.deviceQueues;
        this.#dispatcher = dispatcher;
        this.#lifecycle = lifecycle;
    }

    /** The registration attempt succeeded: its event is settled and the device flows. */
    confirm(device: string): void {
        const deviceQueue = this.#queues.of(device);
        const entry = deviceQueue && this.#queues.endRegistration(deviceQueue);
        if (!entry) return;
        deviceQueue.isHeld = false;
        entry.isRegistering = false;
        if (entry.transmission === 0) this.#dispatcher.settle(entry);
        this.#queues.wake(deviceQueue);
        this.#dispatcher.pump();
    }

    /** The registration attempt failed for now: its event goes back to the head and the device waits, held, until it is woken. */
    requeue(device: string): void {
        const deviceQueue = this.#queues.of(device);
        const entry = deviceQueue && this.#queues.endRegistration(deviceQueue);
        if (entry) this.#waiting.unshift(entry);
        this.hold(device);
        this.#dispatcher.pump();
    }

    /** The device, which was flowing, is refused from now on: what is in flight goes back, and it waits, held, until it is woken. */
    recall(device: string): void {
        this.hold(device);
        const deviceQueue = this.#queues.of(device);
        for (let entry = this.#dispatcher.window.last; entry; ) {
            const { previous } = entry;
            if (entry.device === device && !entry.isRegistering) {
                deviceQueue?.attach(entry);
                this.#waiting.unshift(entry);
            }
            entry = previous;
        }
        this.#dispatcher.pump();
    }

    /** The registration attempt failed for good: its event is given up and the next one may try. */
    drop(device: string, error: GatewayError): void {
        const deviceQueue = this.#queues.of(device);
        const entry = deviceQueue && this.#queues.endRegistration(deviceQueue);
        if (!entry) return;
        this.#lifecycle.refuse(entry, error);
        this.#queues.wake(deviceQueue);
        this.#dispatcher.pump();
    }

    /** Nothing more of the device is sent until it is woken, and what it queues counts as held. */
    hold(device: string): void {
        const deviceQueue = this.#waiting.deviceQueueFor(device);
        if (!deviceQueue.registering) this.#queues.park(deviceQueue);
        deviceQueue.isHeld = true;
    }

    /** The gate may answer differently for this device now. */
    wake(device: string): void {
        const deviceQueue = this.#queues.of(device);
        if (deviceQueue?.state === "parked") this.#queues.wake(deviceQueue);
        if (!this.#queues.of(device)) this.#gate.withdraw(device);
        this.#dispatcher.pump();
    }
}

interface DeviceOutcomesDeps {
    readonly waiting: WaitingEvents;
    readonly dispatcher: Dispatcher;
    readonly lifecycle: EventLifecycle;
    readonly gate: DeviceGate;
}
