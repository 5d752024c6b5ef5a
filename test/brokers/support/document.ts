import { readFileSync, writeFileSync } from "node:fs";
import { activemqAccess } from "../../support/drivers/activemq";
import type { BrokerUser } from "../../support/drivers/broker-process";
import { ejabberdAccess } from "../../support/drivers/ejabberd";
import { natsAccess } from "../../support/drivers/nats";
import { rabbitmqAccess } from "../../support/drivers/rabbitmq";
import { type BrokerName, brokerKinds, brokerNames, mosquittoAccess } from "./broker-kinds";
import { cases } from "./cases";
import { expected } from "./expectations";

const file = "docs/brokers.md";
const begin = "<!-- measured: brokers -->";
const end = "<!-- end -->";

/** The user of a gateway `gw-type`/`gw-1`, as the document shows it. */
const user: BrokerUser = {
    name: "use-token-auth",
    password: "TOKEN",
    publish: ["iot-2/type/+/id/+/evt/#"],
    subscribe: ["iot-2/type/+/id/+/cmd/#", "iot-2/type/gw-type/id/gw-1/notify"],
};

/** What the document says of the brokers, without their versions. */
export function brokersSection(): string {
    const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
    const table = [
        line(["", ...brokerNames.map((name) => brokerKinds[name].title)]),
        line(["---", ...brokerNames.map(() => "---")]),
        ...cases.map(({ name }) => line([name, ...brokerNames.map((broker) => expected(broker, name))])),
    ];
    const access = Object.entries(accessOf).flatMap(([name, { text, place, language }]) => [
        "",
        `**${brokerKinds[name as BrokerName].title}**, ${place}:`,
        "",
        `\`\`\`${language}`,
        text.trimEnd(),
        "```",
    ]);
    return [...table, "", "### Users and their topics", "", introduction, ...access].join("\n");
}

const introduction = `The tests run with rules of this form. Here they are for the gateway \`gw-type\`/\`gw-1\` on the topics of the platform. On topics of
your own, the templates stand in their place.`;

const accessOf: Partial<Record<BrokerName, { readonly text: string; readonly place: string; readonly language: string }>> = {
    mosquitto: { text: mosquittoAccess([user]), place: "in the file that `acl_file` names", language: "text" },
    nats: { text: natsAccess([user]), place: "in `nats-server.conf`", language: "text" },
    rabbitmq: {
        text: JSON.stringify({ topic_permissions: rabbitmqAccess([user]).topic_permissions }, undefined, 2),
        place: "in its definitions, beside ordinary permissions for the queues",
        language: "json",
    },
    ejabberd: { text: ejabberdAccess([user]), place: "in `ejabberd.yml`", language: "yaml" },
    activemq: { text: activemqAccess([user]), place: "inside `<plugins>` of `activemq.xml`", language: "xml" },
};

/** The section as the document has it now. */
export function writtenSection(): string {
    const text = readFileSync(file, "utf8");
    const from = text.indexOf(begin);
    const section = text.slice(from + begin.length, text.indexOf(end, from));
    return section.slice(0, section.lastIndexOf("\n*Tested")).trim();
}

/** Writes the section with the versions of the brokers, which must all be installed. */
export function writeSection(): void {
    const text = readFileSync(file, "utf8");
    const versions = brokerNames.map((name) => `${brokerKinds[name].title} ${brokerKinds[name].version()}`).join(", ");
    const note = `*Tested ${new Date().toISOString().slice(0, 10)}: ${versions}.*`;
    const from = text.indexOf(begin);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`${file} has no place for the brokers`);
    writeFileSync(file, `${text.slice(0, from)}${begin}\n${brokersSection()}\n\n${note}\n${text.slice(to)}`);
}
