import { Mosquitto } from "../../test/support/drivers/mosquitto";
import { waitFor } from "../../test/support/wait-for";
import { Application } from "./application";
import type { Subject } from "./subject";

/** Otherwise the broker's socket waits up to 40 ms for an acknowledgement before each small packet, and hides every difference. */
const noDelay = "set_tcp_nodelay true";

/** A broker for measurements. */
export function startBroker(): Promise<Mosquitto> {
    return Mosquitto.start({ quiet: true, general: ["allow_anonymous true", noDelay] });
}

/** A subject that receives, with a broker and an application of its own: what others receive does not cost the broker's time. */
export class Station {
    private constructor(
        readonly broker: Mosquitto,
        readonly application: Application,
        readonly subject: Subject,
    ) {}

    /** Starts broker and application, then the subject on the broker's port; resolves when the subject has subscribed to so many topics. */
    static async start(launch: (port: number) => Promise<Subject>, topics: number): Promise<Station> {
        const broker = await startBroker();
        const application = await Application.start(broker.port, "iot-2/type/+/id/+/evt/#");
        const station = new Station(broker, application, await launch(broker.port));
        await subscribed(broker, topics);
        return station;
    }

    async stop(): Promise<void> {
        await this.subject.stop();
        this.application.stop();
        await this.broker.stop();
    }
}

/** Resolves once clients other than applications have subscribed to so many different topics, from a line of the broker's log on. */
export async function subscribed(broker: Mosquitto, topics: number, fromLine = 0): Promise<void> {
    const seen = new Set<string>();
    let read = fromLine;
    await waitFor(
        () => {
            for (; read < broker.log.length; read++) {
                const topic = /^\d+: (?!a:)\S+ [012] (iot-2\/\S+|\$share\S+)$/.exec(broker.log[read] ?? "")?.[1];
                if (topic !== undefined) seen.add(topic);
            }
            return seen.size >= topics;
        },
        `${topics} subscriptions`,
        120_000,
    );
}
