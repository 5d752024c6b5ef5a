import { Registration } from "../../../src/devices/registration/registration";
import type {
    Refusal,
    RegistrationAnswer,
    RegistrationClient,
    RegistrationKind,
    RegistrationListener,
} from "../../../src/devices/registration/registration-types";
import { FakeClock } from "../../support/doubles/fake-clock";

/** A registration with a clock that stands still, and everything it asked for as lines of text. */
export class RegistrationBench {
    readonly clock = new FakeClock();
    readonly registration: Registration;
    #lines: string[] = [];
    readonly #clients = new Map<RegistrationKind, RegistrationClient>();
    /** A ping was asked for; the link answers at once. */
    onPing: (answered: () => void) => void = (answered) => answered();
    /** Called on each wake of events, as the outbox would be. */
    onWake: (device: string) => void = () => {};

    constructor({ registrationLimit = 8, registrationBackoffMs = 600_000, isRegistering = true } = {}) {
        const note = (...words: string[]) => this.#lines.push(words.join(" "));
        const listener: RegistrationListener = {
            reconnectWanted: (reason) => note("reconnect", reason),
            stateChanged: (device, state) => note("state", device, state.hold ? `${state.phase}:${state.hold.reason}` : state.phase),
            unexplainedDrop: ({ firstMs, lastMs }) => note("unexplained drop", String(lastMs - firstMs)),
            cleared: (device) => note("cleared", device),
            recall: (device) => note("recalled", device),
            convicted: (device) => note("convicted", device),
            unanswered: (device) => note("unanswered", device),
            signGiven: () => note("sign given"),
            pingWanted: (answered) => this.onPing(answered),
        };
        this.registration = new Registration({
            clock: this.clock,
            gatewayDevice: "gateway/g1",
            registrationLimit,
            registrationBackoffMs,
            isRegistering,
        });
        this.registration.attach(listener);
        this.registration.connectionStarted();
    }

    /** The client of a kind; only events react to a wake. */
    client(kind: RegistrationKind): RegistrationClient {
        const present = this.#clients.get(kind);
        if (present) return present;
        const note = (...words: string[]) => this.#lines.push(words.join(" "));
        const client: RegistrationClient = {
            wake: (device) => {
                note("wake", device, ...(kind === "event" ? [] : [kind]));
                if (kind === "event") this.onWake(device);
            },
            confirm: (device) => note("confirmed", device, kind),
            requeue: (device) => note("requeued", device, kind),
            drop: (device, error) => note("dropped", device, kind, String(error.rc)),
        };
        this.#clients.set(kind, client);
        return client;
    }

    /** What was asked for since the last call, without the wakes unless wanted. */
    take({ wakes = false } = {}): string[] {
        // Whether to reconnect is looked at when the call that gave reason for it is over.
        this.clock.advance(0);
        const lines = this.#lines.filter((line) => wakes || !line.startsWith("wake"));
        this.#lines = [];
        return lines;
    }

    ask(device: string, kind: RegistrationKind = "event"): RegistrationAnswer {
        return this.registration.register(device, kind, this.client(kind));
    }

    tryNow(device: string): RegistrationAnswer {
        return this.registration.tryNow(device, this.client("direct"));
    }

    withdraw(device: string, kind: RegistrationKind = "event"): void {
        this.registration.withdraw(device, this.client(kind));
    }

    /** Asks for each device and sends the check of those that may have one; returns the answers. */
    send(...devices: string[]): RegistrationAnswer[] {
        return devices.map((device) => this.sendAs("event", device));
    }

    /** The same for one device, with a message of another kind. */
    sendAs(kind: RegistrationKind, device: string): RegistrationAnswer {
        const answer = this.ask(device, kind);
        if (answer === "check") this.registration.sent(device);
        return answer;
    }

    /** The platform's PUBACK for each. */
    acknowledge(...devices: string[]): void {
        for (const device of devices) this.registration.acknowledged(device);
    }

    /** Makes devices known, and checked on this connection. */
    learn(...devices: string[]): void {
        for (const device of devices) {
            this.send(device);
            this.acknowledge(device);
            this.clock.advance(100);
        }
        this.take();
    }

    /** Ends the connection and starts another one. */
    reconnect(): void {
        this.registration.connectionEnded();
        this.registration.connectionStarted();
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
