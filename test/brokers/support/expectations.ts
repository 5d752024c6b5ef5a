import type { BrokerName } from "./broker-kinds";
import { answers } from "./cases";

/** What each broker does in each case: what all do, and who differs. docs/brokers.md shows it. */
export const expectations: Readonly<Record<string, Expectation>> = {
    "a wrong token": { common: "CONNACK 5", rabbitmq: "CONNACK 4" },
    "events of QoS 0": { common: answers.yes },
    "events of QoS 1": { common: answers.yes },
    "events of QoS 2": { common: answers.yes, nats: answers.closes, rabbitmq: answers.asQos1 },
    "200 events of QoS 2 at once": { common: answers.yes, nats: answers.closes },
    "a dot in an id": { common: answers.yes, nats: answers.closes, rabbitmq: answers.closes },
    "a blank in an event id": { common: answers.yes, nats: answers.closes },
    "an asterisk in an event id": { common: answers.yes, rabbitmq: "arrives as `+`" },
    "an event of 131072 bytes": { common: answers.yes },
    "20 000 events of 20 devices": { common: "in order" },
    "commands for overlapping filters": { common: "once for each node" },
    "commands while the gateway is away": { common: "kept" },
    "a cut link": { common: "nothing is lost" },
    "a kill under load": {
        common: answers.keeps,
        mosquitto: answers.mayLose,
        ejabberd: answers.mayLose,
        aedes: answers.mayLose,
    },
    "a kill while the receiver is away": {
        common: answers.keeps,
        mosquitto: answers.loses,
        ejabberd: answers.loses,
        aedes: answers.loses,
    },
    "the last will": { common: "sent" },
    "a second client with the same id": { common: "closes the older connection" },
    "a topic that is denied": { common: answers.drops, rabbitmq: answers.closes, aedes: answers.closes },
    "a subscription that is denied": {
        common: "refuses it",
        mosquitto: "grants it and delivers nothing",
        rabbitmq: answers.closes,
    },
};

/** What is expected of a broker in a case. */
export function expected(broker: BrokerName, name: string): string {
    const row = expectations[name];
    if (!row) throw new Error(`Nothing is expected of ${name}`);
    return row[broker] ?? row.common;
}

/** Whether a broker did what is expected of it. */
export function isExpected(broker: BrokerName, name: string, observed: string): boolean {
    const answer = expected(broker, name);
    // What a broker had passed on before it was killed depends on chance.
    return observed === answer || (answer === answers.mayLose && (observed === answers.keeps || observed === answers.loses));
}

export type Expectation = { readonly common: string } & Partial<Readonly<Record<BrokerName, string>>>;
