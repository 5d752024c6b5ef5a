import path from "node:path";
import { BrokerProcess, type BrokerUser, type RunningBroker } from "./broker-process";

/** An aedes in a process of its own, with everything in its memory. */
export function startAedes(users: readonly BrokerUser[]): Promise<RunningBroker> {
    return BrokerProcess.start(({ port, directory }) => ({
        directory,
        programs: [
            {
                command: process.execPath,
                args: [path.join(__dirname, "aedes-program.js"), String(port)],
                env: { BROKER_USERS: JSON.stringify(users) },
            },
        ],
        ready: /^ready/,
    }));
}
