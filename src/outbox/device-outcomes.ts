import type { GatewayError } from "../errors";
import type { Ledger } from "./event-lifecycle";
import type { LaneTable } from "./queue/device-queues";
import type { WaitingEvents } from "./queue/waiting-events";
import type { Dispatcher } from "./sending/dispatcher";

/** Carries out what was found out about one device: how its first contact ended, and whether the platform takes its events. */
export class DeviceOutcomes {
    readonly #waiting: WaitingEvents;
    readonly #lanes: LaneTable;
    readonly #dispatcher: Dispatcher;
    readonly #ledger: Ledger;

    constructor({ waiting, dispatcher, ledger }: { waiting: WaitingEvents; dispatcher: Dispatcher; ledger: Ledger }) {
        this.#waiting = waiting;
        this.#lanes = waiting.lanes;
        this.#dispatcher = dispatcher;
        this.#ledger = ledger;
    }

    /** The first contact succeeded: its event is settled and the device flows. */
    confirm(device: string): void {
        const lane = this.#lanes.of(device);
        const entry = lane && this.#lanes.endContact(lane);
        if (!entry) return;
        lane.isHeld = false;
        entry.isContact = false;
        if (entry.transmission === 0) this.#dispatcher.settle(entry);
        this.#lanes.wake(lane);
        this.#dispatcher.pump();
    }

    /** The first contact failed for now: its event goes back to the head and the device waits, held, until it is woken. */
    requeue(device: string): void {
        const lane = this.#lanes.of(device);
        const entry = lane && this.#lanes.endContact(lane);
        if (entry) this.#waiting.giveBack(entry);
        this.hold(device);
        this.#dispatcher.pump();
    }

    /** The device, which was flowing, is refused from now on: what is in flight goes back, and it waits, held, until it is woken. */
    recall(device: string): void {
        this.hold(device);
        const lane = this.#lanes.of(device);
        for (let entry = this.#dispatcher.window.last; entry; ) {
            const { previous } = entry;
            if (entry.device === device && !entry.isContact) {
                lane?.adopt(entry);
                this.#waiting.giveBack(entry);
            }
            entry = previous;
        }
        this.#dispatcher.pump();
    }

    /** The first contact failed for good: its event is given up and the next one may try. */
    refuse(device: string, error: GatewayError): void {
        const lane = this.#lanes.of(device);
        const entry = lane && this.#lanes.endContact(lane);
        if (!entry) return;
        this.#ledger.refuse(entry, error);
        this.#lanes.wake(lane);
        this.#dispatcher.pump();
    }

    /** Nothing more of the device is sent until it is woken, and what it queues counts as held. */
    hold(device: string): void {
        const lane = this.#waiting.laneFor(device);
        if (!lane.contact) this.#lanes.park(lane);
        lane.isHeld = true;
    }

    /** The gate may answer differently for this device now. */
    wake(device: string): void {
        const lane = this.#lanes.of(device);
        if (lane?.state !== "parked") return;
        this.#lanes.wake(lane);
        this.#dispatcher.pump();
    }
}
