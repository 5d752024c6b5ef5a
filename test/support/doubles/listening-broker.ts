import { once } from "node:events";
import { createServer } from "node:net";
import { portOf } from "../ports";
import { ScriptedBroker, type ScriptedBrokerOptions } from "./scripted-broker";

/** A scripted broker on a free TCP port of loopback. */
export class ListeningBroker extends ScriptedBroker {
    readonly #server = createServer({ noDelay: true }, (socket) => this.attach(socket));

    private constructor(options: ScriptedBrokerOptions | undefined) {
        super(options);
    }

    static async start(options?: ScriptedBrokerOptions): Promise<ListeningBroker> {
        const broker = new ListeningBroker(options);
        broker.#server.listen(0, "127.0.0.1");
        await once(broker.#server, "listening");
        return broker;
    }

    get port(): number {
        return portOf(this.#server);
    }

    /** Closes every connection and the port. */
    async stop(): Promise<void> {
        this.#server.close();
        this.disconnectAll();
        await once(this.#server, "close");
    }
}
