import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { startActivemq } from "../../support/drivers/activemq";
import { startAedes } from "../../support/drivers/aedes";
import type { BrokerUser, RunningBroker } from "../../support/drivers/broker-process";
import { startEjabberd } from "../../support/drivers/ejabberd";
import { Mosquitto, passwordFile } from "../../support/drivers/mosquitto";
import { startNats } from "../../support/drivers/nats";
import { startRabbitmq } from "../../support/drivers/rabbitmq";

/** The brokers of the matrix, in the order of docs/brokers.md. */
export const brokerKinds = {
    mosquitto: { title: "Mosquitto", version: () => debianVersion("mosquitto"), start: startMosquitto, pace: 10 },
    nats: { title: "NATS", version: () => debianVersion("nats-server"), start: startNats, pace: 1 },
    rabbitmq: { title: "RabbitMQ", version: () => debianVersion("rabbitmq-server"), start: startRabbitmq, pace: 10 },
    ejabberd: { title: "ejabberd", version: () => debianVersion("ejabberd"), start: (users) => startEjabberd(users), pace: 10 },
    activemq: { title: "ActiveMQ", version: () => debianVersion("activemq"), start: startActivemq, pace: 10 },
    aedes: { title: "aedes", version: () => npmVersion("aedes"), start: startAedes, pace: 10 },
} as const satisfies Record<string, BrokerKind>;

export type BrokerName = keyof typeof brokerKinds;

export interface BrokerKind {
    readonly title: string;
    /** The installed version. */
    version(): string;
    /** Starts one whose users may use their own topics only. */
    start(users: readonly BrokerUser[]): Promise<RunningBroker>;
    /** How fast the gateway's clock runs: NATS takes clients that come back within a second for a fault. */
    readonly pace: number;
}

export const brokerNames = Object.keys(brokerKinds).filter(isBrokerName);

export function isBrokerName(name: string): name is BrokerName {
    return Object.hasOwn(brokerKinds, name);
}

/** A Mosquitto with its own defaults, apart from who may use it. */
function startMosquitto(users: readonly BrokerUser[]): Promise<RunningBroker> {
    return Mosquitto.start({
        quiet: true,
        general: [
            "allow_anonymous false",
            "max_inflight_messages 20",
            "persistence true",
            "persistence_location {dir}/",
            "password_file {dir}/passwords",
            "acl_file {dir}/acl",
        ],
        files: {
            passwords: passwordFile(Object.fromEntries(users.map(({ name, password }) => [name, password]))),
            acl: mosquittoAccess(users),
        },
    });
}

/** The file that names users and their topics. */
export function mosquittoAccess(users: readonly BrokerUser[]): string {
    const lines = ({ name, publish, subscribe }: BrokerUser) => [
        `user ${name}`,
        ...publish.map((filter) => `topic write ${filter}`),
        ...subscribe.map((filter) => `topic read ${filter}`),
        "",
    ];
    return users.flatMap(lines).join("\n");
}

function debianVersion(name: string): string {
    const version = execFileSync("dpkg-query", ["--show", "--showformat", "${Version}", name], { encoding: "utf8" });
    return /^(?:\d+:)?([\d.]+\d)/.exec(version)?.[1] ?? version;
}

function npmVersion(name: string): string {
    const { version }: { version: string } = JSON.parse(readFileSync(path.join("node_modules", name, "package.json"), "utf8"));
    return version;
}
