import { findOutboxFile } from "../gateway/gateway-storage";
import { translate } from "../i18n";
import { type GatewayIdentity, mqttClientId } from "../protocol/identity";

/**
 * Reports the outbox files that no configuration uses any more: because one was removed, got another identity, or belongs to another
 * project. The files stay, as they may hold the events of a whole night.
 */
export class AbandonedFiles {
    readonly #ended = new Map<string, EndedGateway>();

    /** A configuration ended. It is forgotten if a configuration with its identity runs when the flows have started. */
    add(ended: EndedGateway): void {
        this.#ended.set(mqttClientId(ended.identity), ended);
    }

    /**
     * The flows have started.
     * @param isInUse whether a configuration has this identity now, by its client id
     */
    flowsStarted(isInUse: (clientId: string) => boolean): void {
        const ended = [...this.#ended];
        this.#ended.clear();
        for (const [clientId, gateway] of ended) if (!isInUse(clientId)) report(clientId, gateway);
    }
}

/** A gateway whose configuration has ended. */
export interface EndedGateway {
    readonly identity: GatewayIdentity;
    /** The folder of its file. */
    readonly directory: string;
    /** Settles when the gateway has closed. */
    readonly closed: Promise<void>;
    log(text: string): void;
}

function report(clientId: string, { identity, directory, closed, log }: EndedGateway): void {
    closed
        .catch(() => undefined)
        .then(() => findOutboxFile(directory, identity))
        .then((file) => {
            if (!file) return;
            const megabytes = (file.bytes / 1e6).toFixed(1);
            const count = file.events;
            log(
                count === undefined
                    ? translate("flow.abandoned", { clientId, file: file.path, megabytes })
                    : translate("flow.abandonedEvents", { clientId, count, file: file.path, megabytes }),
            );
        })
        // A folder that cannot be read has nothing to report.
        .catch(() => undefined);
}
