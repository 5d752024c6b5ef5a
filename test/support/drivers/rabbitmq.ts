import { createHash, randomBytes } from "node:crypto";
import { freePort } from "../ports";
import { BrokerProcess, type BrokerUser, type RunningBroker } from "./broker-process";

/** A RabbitMQ with its MQTT plugin. It gets a port mapper of its own, so that it leaves no daemon behind. */
export async function startRabbitmq(users: readonly BrokerUser[]): Promise<RunningBroker> {
    const [mapperPort, distributionPort] = [await freePort(), await freePort()];
    const mapper = { ERL_EPMD_ADDRESS: "127.0.0.1", ERL_EPMD_PORT: String(mapperPort) };
    return BrokerProcess.start(({ port, directory }) => ({
        directory,
        files: {
            enabled_plugins: "[rabbitmq_mqtt].",
            "rabbitmq.conf": [
                "listeners.tcp = none",
                `mqtt.listeners.tcp.1 = 127.0.0.1:${port}`,
                "mqtt.allow_anonymous = false",
                "loopback_users = none",
                `load_definitions = ${directory}/definitions.json`,
                "",
            ].join("\n"),
            "definitions.json": JSON.stringify({
                vhosts: [{ name: "/" }],
                users: users.map(({ name, password }) => ({
                    name,
                    password_hash: passwordHash(password),
                    hashing_algorithm: "rabbit_password_hashing_sha256",
                    tags: [],
                })),
                ...rabbitmqAccess(users),
            }),
        },
        programs: [
            {
                command: "/usr/lib/rabbitmq/bin/rabbitmq-server",
                args: [],
                env: {
                    ...mapper,
                    RABBITMQ_NODENAME: `test${port}@localhost`,
                    RABBITMQ_DIST_PORT: String(distributionPort),
                    RABBITMQ_CONF_ENV_FILE: "/dev/null",
                    RABBITMQ_CONFIG_FILE: `${directory}/rabbitmq.conf`,
                    RABBITMQ_ENABLED_PLUGINS_FILE: `${directory}/enabled_plugins`,
                    RABBITMQ_GENERATED_CONFIG_DIR: `${directory}/generated`,
                    RABBITMQ_MNESIA_BASE: `${directory}/mnesia`,
                    RABBITMQ_LOG_BASE: `${directory}/logs`,
                    RABBITMQ_LOGS: "-",
                    RABBITMQ_PID_FILE: `${directory}/pid`,
                    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
                },
            },
            { command: "epmd", args: [], env: mapper },
        ],
        ready: /Server startup complete/,
        pidFile: "pid",
    }));
}

/** What a file of definitions says of the topics of users. */
export function rabbitmqAccess(users: readonly BrokerUser[]) {
    return {
        permissions: users.map(({ name }) => ({ user: name, vhost: "/", configure: ".*", write: ".*", read: ".*" })),
        topic_permissions: users.map(({ name, publish, subscribe }) => ({
            user: name,
            vhost: "/",
            exchange: "amq.topic",
            write: routingKeys(publish),
            read: routingKeys(subscribe),
        })),
    };
}

/** A pattern of the routing keys that filters match: RabbitMQ writes a slash as a dot. */
function routingKeys(filters: readonly string[]): string {
    const pattern = (filter: string) =>
        filter
            .split("/")
            .map((level) => (level === "+" ? "[^.]+" : level === "#" ? ".*" : level))
            .join("\\.");
    return `^(${filters.map(pattern).join("|")})$`;
}

function passwordHash(password: string): string {
    const salt = randomBytes(4);
    return Buffer.concat([salt, createHash("sha256").update(salt).update(password).digest()]).toString("base64");
}
