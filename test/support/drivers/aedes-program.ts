// A broker for users with topics of their own: `node aedes-program.js <port>`, the users as JSON in BROKER_USERS.
import { createServer } from "node:net";
import type { Aedes, Client } from "aedes";
import { matchesFilter } from "../doubles/broker-script";
import type { BrokerUser } from "./broker-process";

async function main(): Promise<void> {
    const users: readonly BrokerUser[] = JSON.parse(process.env.BROKER_USERS ?? "[]");
    const { Aedes } = await import("aedes");
    const broker = await Aedes.createBroker();
    const connected = new WeakMap<Client, BrokerUser>();
    broker.authenticate = (client, name, password, done) => {
        const user = users.find((candidate) => candidate.name === name && candidate.password === password?.toString());
        if (user) connected.set(client, user);
        done(null, user !== undefined);
    };
    const isAllowed = (client: Client | null, kind: "publish" | "subscribe", topic: string) =>
        client === null || (connected.get(client)?.[kind] ?? []).some((filter) => matchesFilter(topic, filter));
    broker.authorizePublish = (client, { topic }, done) => done(isAllowed(client, "publish", topic) ? null : new Error("not allowed"));
    broker.authorizeSubscribe = (client, subscription, done) =>
        done(null, isAllowed(client, "subscribe", subscription.topic) ? subscription : null);
    listen(broker);
}

function listen(broker: Aedes): void {
    const server = createServer((socket) => broker.handle(socket));
    server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
}

main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
});
