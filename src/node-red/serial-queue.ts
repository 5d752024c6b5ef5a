import { GatewayError } from "../errors";
import { translate } from "../i18n";

/** At most this many messages wait for their turn. */
const maxWaiting = 10_000;

/**
 * Runs tasks one after the other, so that messages whose ids take time to find out do not overtake each other. Bounded: beyond
 * 10 000 waiting messages the newest is refused.
 */
export class SerialQueue {
    #tail: Promise<void> = Promise.resolve();
    #waiting = 0;

    /**
     * Runs `task` after the tasks before it and settles as it does.
     * @throws GW_OUTBOX_FULL when too many tasks wait already
     */
    run(task: () => void | Promise<void>): Promise<void> {
        if (this.#waiting >= maxWaiting) {
            throw new GatewayError("GW_OUTBOX_FULL", translate("flow.tooManyWaiting", { count: maxWaiting }));
        }
        this.#waiting += 1;
        const run = this.#tail.then(task).finally(() => {
            this.#waiting -= 1;
        });
        this.#tail = run.catch(() => undefined);
        return run;
    }
}
