import { Registration } from "../../../src/devices/registration/registration";
import type { Refusal, RegistrationListener } from "../../../src/devices/registration/registration-types";
import { FakeClock } from "../../support/doubles/fake-clock";

/** A registration with a clock that stands still, and everything it asked for as lines of text. */
export class RegistrationBench {
    readonly clock = new FakeClock();
    readonly registration: Registration;
    #listener: string[] = [];
    /** Called on each wake, as the outbox would be. */
    onWake: (device: string) => void = () => {};

    constructor({ registrationLimit = 8, registrationBackoffMs = 600_000 } = {}) {
        const note = (...words: string[]) => this.#listener.push(words.join(" "));
        const listener: RegistrationListener = {
            wake: (device) => {
                note("wake", device);
                this.onWake(device);
            },
            confirm: (device, kind) => note("confirmed", device, kind),
            requeue: (device, kind) => note("requeued", device, kind),
            drop: (device, kind, refusal) => note("dropped", device, kind, String(refusal.rc)),
            recall: (device) => note("recalled", device),
            reconnectWanted: (reason) => note("reconnect", reason),
            stateChanged: (device, state) => note("state", device, state.hold ? `${state.phase}:${state.hold.reason}` : state.phase),
            unexplainedDrop: () => note("unexplained drop"),
        };
        this.registration = new Registration({
            clock: this.clock,
            listener,
            gatewayDevice: "gateway/g1",
            registrationLimit,
            registrationBackoffMs,
        });
        this.registration.connectionStarted();
    }

    /** What was asked for since the last call, without the wakes unless wanted. */
    take({ wakes = false } = {}): string[] {
        const listener = this.#listener.filter((queue) => wakes || !queue.startsWith("wake"));
        this.#listener = [];
        return listener;
    }

    /** Asks for each device and sends the device of those that may have one; returns the answers. */
    send(...devices: string[]): string[] {
        return devices.map((device) => {
            const answer = this.registration.ask(device);
            if (answer === "register") this.registration.attemptSent(device);
            return answer;
        });
    }

    /** The platform's PUBACK for each. */
    acknowledge(...devices: string[]): void {
        for (const device of devices) this.registration.attemptAcknowledged(device);
    }

    /** Makes devices known. */
    learn(...devices: string[]): void {
        for (const device of devices) {
            this.send(device);
            this.acknowledge(device);
            this.clock.advance(100);
        }
        this.take();
    }

    /** A notification of the kind the platform sends when a registration fails. */
    refuse(device: string, rc: number, more: Partial<Refusal> = {}) {
        return this.registration.refused(device, { rc, request: "publish", text: "words", registration: true, ...more });
    }

    /** The phases of devices. */
    phases(...devices: string[]): string[] {
        return devices.map((device) => this.registration.stateOf(device).phase);
    }
}
