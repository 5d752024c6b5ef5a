// The matrix of real brokers: npm run test:brokers. Arguments name some of them; without any, all run and docs/brokers.md is written.
import { provide } from "./test-tools.mjs";

const all = ["mosquitto", "nats", "rabbitmq", "ejabberd", "activemq", "aedes"];
const wanted = process.argv.splice(2);
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
    console.error(`No such broker: ${unknown.join(", ")}. There are: ${all.join(", ")}.`);
    process.exit(2);
}
const missing = [];
const found = (wanted.length > 0 ? wanted : all).filter((name) => {
    const reasons = name === "aedes" ? [] : provide([name]);
    if (reasons.length > 0) missing.push(`${name}: ${reasons.join("; ")}`);
    return reasons.length === 0;
});
process.env.BROKERS = found.join(",");
process.argv.push("brokers");
await import("./test.mjs");
for (const text of missing) console.log(`NOT RUN ${text}`);
if (missing.length > 0 && process.env.CI === "true") process.exitCode = 1;
