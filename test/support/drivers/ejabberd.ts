import { readdirSync } from "node:fs";
import path from "node:path";
import { BrokerProcess, type BrokerUser, type RunningBroker } from "./broker-process";

/** Debian puts Erlang's libraries where its architecture's are. */
const librariesOf = () =>
    readdirSync("/usr/lib")
        .filter((entry) => entry.endsWith("-linux-gnu"))
        .map((entry) => path.join("/usr/lib", entry));
const host = "localhost";

/** An ejabberd with its MQTT module. It runs without Erlang's distribution, so that it is one process. */
export function startEjabberd(users: readonly BrokerUser[], maxTopicDepth?: number): Promise<RunningBroker> {
    return BrokerProcess.start(({ port, directory }) => ({
        directory,
        files: {
            "ejabberd.yml": [
                `hosts: ["${host}"]`,
                "listen:",
                `  - { port: ${port}, ip: "127.0.0.1", module: mod_mqtt }`,
                ejabberdAccess(users, maxTopicDepth),
                "",
            ].join("\n"),
        },
        programs: [
            {
                command: "erl",
                args: ["-noinput", "-mnesia", "dir", `"${directory}/mnesia"`, "-s", "ejabberd", "-eval", registering(users)],
                env: {
                    EJABBERD_CONFIG_PATH: `${directory}/ejabberd.yml`,
                    EJABBERD_LOG_PATH: `${directory}/ejabberd.log`,
                    ERL_LIBS: librariesOf()
                        .flatMap((libraries) => [libraries, ...versionsIn(libraries)])
                        .join(":"),
                },
            },
        ],
        ready: /^users registered/,
    }));
}

/** The part of the configuration that names users, their topics, and the depth of a topic. */
export function ejabberdAccess(users: readonly BrokerUser[], maxTopicDepth = 16): string {
    const rules = (kind: "publish" | "subscribe") => {
        const filters = new Set(users.flatMap((user) => user[kind]));
        // The first filter that matches decides: the one that matches everything comes last.
        return [...filters]
            .sort((one, other) => Number(one === "#") - Number(other === "#"))
            .flatMap((filter) => [
                `      "${filter}":`,
                ...users
                    .filter((user) => user[kind].includes(filter) || user[kind].includes("#"))
                    .map(({ name }) => `        - allow: ${name}`),
            ]);
    };
    return [
        "acl:",
        ...users.map(({ name }) => `  ${name}: { user: "${name}@${host}" }`),
        "modules:",
        "  mod_mqtt:",
        `    max_topic_depth: ${maxTopicDepth}`,
        "    access_publish:",
        ...rules("publish"),
        "    access_subscribe:",
        ...rules("subscribe"),
    ].join("\n");
}

function registering(users: readonly BrokerUser[]): string {
    const calls = users.map(({ name, password }) => `ejabberd_auth:try_register(<<"${name}">>, <<"${host}">>, <<"${password}">>)`);
    return `${calls.join(", ")}, io:format("users registered~n").`;
}

function versionsIn(libraries: string): string[] {
    return readdirSync(libraries)
        .filter((entry) => entry.startsWith("ejabberd-"))
        .map((entry) => path.join(libraries, entry));
}
