import { readdirSync } from "node:fs";
import path from "node:path";
import { BrokerProcess, type BrokerUser, type RunningBroker } from "./broker-process";

const home = "/usr/share/activemq";

/** An ActiveMQ with a connector for MQTT. */
export function startActivemq(users: readonly BrokerUser[]): Promise<RunningBroker> {
    return BrokerProcess.start(({ port, directory }) => ({
        directory,
        files: {
            "activemq.xml": [
                '<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
                '  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd',
                '  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">',
                `<broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="test" dataDirectory="${directory}/data">`,
                `<persistenceAdapter><kahaDB directory="${directory}/data/kahadb"/></persistenceAdapter>`,
                "<plugins>",
                activemqAccess(users),
                "</plugins>",
                `<transportConnectors><transportConnector name="mqtt" uri="mqtt://127.0.0.1:${port}"/></transportConnectors>`,
                "</broker>",
                "</beans>",
            ].join("\n"),
            "log4j.properties": [
                "log4j.rootLogger=INFO, console",
                "log4j.appender.console=org.apache.log4j.ConsoleAppender",
                "log4j.appender.console.layout=org.apache.log4j.SimpleLayout",
            ].join("\n"),
        },
        programs: [
            {
                command: "java",
                args: [
                    "-Xmx512m",
                    `-Dactivemq.home=${home}`,
                    `-Dactivemq.base=${directory}`,
                    "-Dlog4j.configuration=file:log4j.properties",
                    "-cp",
                    classPath(),
                    "org.apache.activemq.console.command.ShellCommand",
                    "start",
                    `xbean:file:${directory}/activemq.xml`,
                ],
            },
        ],
        ready: /Apache ActiveMQ .* started/,
    }));
}

/** The plugins of the configuration that name users and their topics. */
export function activemqAccess(users: readonly BrokerUser[]): string {
    const filters = [...new Set(users.flatMap(({ publish, subscribe }) => [...publish, ...subscribe]))];
    const everybody = users.map(({ name }) => name).join(",");
    const named = (kind: "publish" | "subscribe", filter: string) =>
        users
            .filter((user) => user[kind].includes(filter) || user[kind].includes("#"))
            .map(({ name }) => name)
            .join(",");
    const entry = (topic: string, read: string, write: string) =>
        `    <authorizationEntry topic="${topic}" read="${read}" write="${write}" admin="${everybody}"/>`;
    return [
        "<simpleAuthenticationPlugin><users>",
        ...users.map(({ name, password }) => `  <authenticationUser username="${name}" password="${password}" groups="${name}"/>`),
        "</users></simpleAuthenticationPlugin>",
        "<authorizationPlugin><map><authorizationMap><authorizationEntries>",
        ...filters.map((filter) => entry(destinationOf(filter), named("subscribe", filter), named("publish", filter))),
        entry("ActiveMQ.Advisory.>", everybody, everybody),
        "</authorizationEntries></authorizationMap></map></authorizationPlugin>",
    ].join("\n");
}

function destinationOf(filter: string): string {
    return filter.replaceAll("/", ".").replaceAll("+", "*").replaceAll("#", "&gt;");
}

function classPath(): string {
    const folders = [path.join(home, "lib"), path.join(home, "lib", "optional")];
    const jars = folders.flatMap((folder) =>
        readdirSync(folder)
            .filter((name) => name.endsWith(".jar"))
            .map((name) => path.join(folder, name)),
    );
    return [...jars, ...["mqtt-client", "hawtdispatch", "hawtdispatch-transport"].map((name) => `/usr/share/java/${name}.jar`)].join(":");
}
