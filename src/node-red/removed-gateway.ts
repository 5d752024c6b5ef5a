import { findOutboxFile } from "../gateway/gateway-storage";
import { say } from "../i18n";
import { type GatewayIdentity, mqttClientId } from "../protocol/identity";

/**
 * What is to be said of the file of a gateway that was removed, if there is one: it stays, as it may be all there is of a night's events.
 * @param countEvents how many events it holds; undefined where that is not known
 */
export async function describeRemains(
    userDir: string,
    identity: GatewayIdentity,
    countEvents: () => number | undefined,
): Promise<string | undefined> {
    const file = await findOutboxFile(userDir, identity);
    if (!file) return undefined;
    const clientId = mqttClientId(identity);
    const megabytes = (file.bytes / 1e6).toFixed(1);
    const count = countEvents();
    return count === undefined
        ? say("flow.removed", { clientId, file: file.path, megabytes })
        : say("flow.removedEvents", { clientId, count, file: file.path, megabytes });
}
