import { freePort } from "../ports";
import { BrokerProcess, type BrokerUser, type RunningBroker } from "./broker-process";

/** A NATS server with JetStream and its listener for MQTT. */
export async function startNats(users: readonly BrokerUser[]): Promise<RunningBroker> {
    const clientPort = await freePort();
    return BrokerProcess.start(({ port, directory }) => ({
        directory,
        files: {
            "nats.conf": [
                "server_name: test",
                `listen: "127.0.0.1:${clientPort}"`,
                `jetstream { store_dir: "${directory}/jetstream" }`,
                `mqtt { host: 127.0.0.1, port: ${port} }`,
                natsAccess(users),
            ].join("\n"),
        },
        programs: [{ command: "nats-server", args: ["-c", "nats.conf"] }],
        ready: /Server is ready/,
    }));
}

/** What the server subscribes to in the name of a client whose subscription has QoS 1. */
const ownSubscriptions = "$MQTT/sub/#";

/** The part of the configuration that names users and their topics. */
export function natsAccess(users: readonly BrokerUser[]): string {
    const subjects = (filters: readonly string[]) => `[${filters.map((filter) => `"${subjectOf(filter)}"`).join(", ")}]`;
    const lines = users.flatMap(({ name, password, publish, subscribe }) => [
        `    { user: "${name}", password: "${password}", permissions: {`,
        `      publish: ${subjects(publish)}`,
        `      subscribe: ${subjects([...subscribe, ownSubscriptions])} } }`,
    ]);
    return ["authorization {", "  users = [", ...lines, "  ]", "}"].join("\n");
}

function subjectOf(filter: string): string {
    return filter.replaceAll("/", ".").replaceAll("+", "*").replaceAll("#", ">");
}
