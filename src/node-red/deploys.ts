import { EventEmitter } from "node:events";
import type { NodeAPI } from "node-red";
import type { Deploy } from "../gateway/gateway-pool";
import { membersOf } from "../protocol/json";

/** Reports every stop and start of the flows, for as long as Node-RED runs. Returns a function that ends it. */
export function watchDeploys(RED: NodeAPI, listener: DeployListener): () => void {
    const stopping = (event: unknown) => listener.flowsStopping(readDeploy(event));
    const started = () => listener.flowsStarted();
    // No event announces a deploy before the flows stop, but the audit log does, which goes to every log handler.
    const log = new EventEmitter();
    log.on("log", (entry: unknown) => {
        if (membersOf(entry).event === "flows.set") listener.deployAnnounced();
    });
    RED.log.addHandler(log);
    RED.events.on("flows:stopping", stopping);
    RED.events.on("flows:started", started);
    return () => {
        RED.log.removeHandler(log);
        RED.events.removeListener("flows:stopping", stopping);
        RED.events.removeListener("flows:started", started);
    };
}

/** Is notified when the flows stop and start. */
export interface DeployListener {
    /** New flows are being stored; unless that fails, the running ones stop as soon as it is done. */
    deployAnnounced(): void;
    flowsStopping(deploy: Deploy): void;
    flowsStarted(): void;
}

/**
 * The deploy that the event is about. Only a deploy from the editor or the API compares the old flows with the new ones, which
 * shows in `globalConfigChanged`; a shutdown or a reload comes with an empty comparison that says nothing.
 */
function readDeploy(event: unknown): Deploy {
    const diff = membersOf(membersOf(event).diff);
    const ids = ["changed", "removed"].flatMap((list) => (Array.isArray(diff[list]) ? diff[list] : []));
    return {
        isChange: typeof diff.globalConfigChanged === "boolean" && !diff.globalConfigChanged,
        affected: new Set(ids.filter((id) => typeof id === "string")),
    };
}
