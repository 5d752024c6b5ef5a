import { connect, type MqttClient } from "mqtt";
import { waitFor } from "../../../support/wait-for";

const devices = 5;
const everyMs = 20;

/** The application behind a server: takes the events and sends commands of QoS 1 to the devices. */
export class Application {
    /** Payloads of events, in the order in which they came. */
    received: string[] = [];
    /** Commands that the broker has taken over, or may have. */
    readonly commands = new Set<string>();
    /** Commands that were on their way when the broker was killed: that they arrive is up to the broker. */
    readonly excused = new Set<string>();
    readonly #client: MqttClient;
    readonly #prefix: string;
    #timer: NodeJS.Timeout | undefined;
    #number = 0;
    #unanswered = 0;

    private constructor(client: MqttClient, prefix: string) {
        this.#client = client;
        this.#prefix = prefix;
        client.on("error", () => {});
        client.on("message", (_topic, payload) => this.received.push(String(payload)));
    }

    static async start({ port, clientId, username, password, prefix }: ApplicationOptions): Promise<Application> {
        const account = { username, password, clientId, clean: false };
        const client = connect({ host: "127.0.0.1", port, reconnectPeriod: 100, ...account });
        const application = new Application(client, prefix);
        await waitFor(() => client.connected, "the application to connect");
        await client.subscribeAsync("iot-2/type/+/id/+/evt/+/fmt/+", { qos: 1 });
        return application;
    }

    /** Sends commands from now on, or none. */
    set isSending(isSending: boolean) {
        clearInterval(this.#timer);
        if (isSending) this.#timer = setInterval(() => this.#send(), everyMs);
    }

    /** Whether the broker has answered everything. */
    get isQuiet(): boolean {
        return this.#unanswered === 0;
    }

    /** The broker is about to be killed: what did not arrive so far is in its hands. */
    excuseCommands(arrived: ReadonlySet<string>): void {
        for (const command of this.commands) if (!arrived.has(command)) this.excused.add(command);
    }

    /** Starts with empty lists again. */
    forget(): void {
        this.received = [];
        this.commands.clear();
        this.excused.clear();
    }

    end(): void {
        this.isSending = false;
        this.#client.end(true);
    }

    #send(): void {
        if (!this.#client.connected) return;
        const number = ++this.#number;
        const payload = `${this.#prefix}${number % devices}:${number}`;
        this.commands.add(payload);
        this.#unanswered += 1;
        // MQTT.js sends it again on the next connection until it is answered.
        this.#client.publish(`iot-2/type/sensor/id/d${number % devices}/cmd/set/fmt/text`, payload, { qos: 1 }, () => {
            this.#unanswered -= 1;
        });
    }
}

/** Who an application is, and where its server is. */
export interface ApplicationOptions {
    readonly port: number;
    readonly clientId: string;
    readonly username: string;
    readonly password: string;
    /** What its commands begin with: those of another application have other names. */
    readonly prefix: string;
}
