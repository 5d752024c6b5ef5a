import type { GatewayConnection } from "../../connection/gateway-connection";
import type { ConnectionReason } from "../../connection/reason";
import type { Inventory } from "../../devices/inventory/inventory";
import type { Registration } from "../../devices/registration/registration";
import { shortened, type TextKey, translate } from "../../i18n";
import { type DeviceAddress, deviceKey } from "../../protocol/identity";
import type { DeviceManagement } from "../device-management";
import type { GatewayListeners } from "../gateway-listeners";
import type { LinkAction, LinkControl } from "../link-control";
import type { SuspectSearch } from "../suspects/suspect-search";
import type { SilentDevices } from "./silent-devices";

const maxTopicShown = 200;

/** The actions of an operator. Each one reports its true outcome and leaves a line in the log. */
export class GatewayActions {
    readonly #deps: GatewayActionsDeps;

    constructor(deps: GatewayActionsDeps) {
        this.#deps = deps;
    }

    /** Connects, disconnects, pauses or resumes. The outcome is that of the request: connecting takes its time. */
    controlLink(action: LinkAction): ActionOutcome {
        const { control, listeners } = this.#deps;
        const outcomes = linkOutcomes[action];
        if (!control.request(action)) return notDone(outcomes.notDone);
        listeners.log(translate(outcomes.log));
        return done(outcomes.done);
    }

    /** Reconnects, or makes the next attempt now. */
    reconnect(): ActionOutcome {
        const { connection, control, listeners } = this.#deps;
        const { phase } = connection.state;
        if (phase === "closed" || !control.condition.isWanted) return notDone("notOpen");
        listeners.log(translate("gateway.reconnectLogged"));
        connection.reconnect(byOperator());
        return done(phase === "online" ? "reconnecting" : "tryingNow");
    }

    /** Ends the hold of a device, so that its events are tried now. */
    release(address: DeviceAddress): ActionOutcome {
        const { registration, listeners } = this.#deps;
        const device = deviceKey(address);
        if (!registration.release(device)) return notDone("notHeld");
        listeners.log(translate("gateway.released", { device }));
        listeners.countsChanged();
        return done("released");
    }

    /** Lets a suspect go: it is sent as if it had never been suspected. */
    releaseSuspect(id: number): ActionOutcome {
        const { search, listeners } = this.#deps;
        const packet = search.release(id);
        if (!packet) return notDone("notSuspected");
        listeners.log(translate("gateway.suspectReleased", { topic: shortened(packet.name, maxTopicShown) }));
        listeners.countsChanged();
        return done("suspectReleased");
    }

    /**
     * Drops every waiting event of a device, in memory and on disk, but not those in flight. Each sender is notified
     * `GW_EXPIRED`. Rejects with `GW_STORE` when the file cannot be read.
     */
    async purge(address: DeviceAddress): Promise<ActionOutcome> {
        const count = await this.#deps.purge(deviceKey(address));
        return count > 0 ? done("purged", { count }) : notDone("nothingToPurge");
    }

    /** Forgets a device: its next event is a registration attempt. */
    forget(address: DeviceAddress): ActionOutcome {
        const { registration, inventory, management, silentDevices, listeners } = this.#deps;
        const device = deviceKey(address);
        const { phase } = registration.stateOf(device);
        if (!inventory.forget(device)) return notDone(phase === "contacting" || phase === "unanswered" ? "underWay" : "cannotForget");
        management.engine.forget(device);
        silentDevices.forget(device);
        listeners.log(translate("gateway.forgotten", { device }));
        listeners.countsChanged();
        return done("forgotten");
    }
}

/** The outcome of an action: a key for the text in the operator's language, and its parameters. */
export interface ActionOutcome {
    /** Whether something was done. */
    readonly isDone: boolean;
    readonly key: string;
    readonly parameters?: Readonly<Record<string, string | number>>;
}

/** The action was done. */
export function done(key: string, parameters?: ActionOutcome["parameters"]): ActionOutcome {
    return { isDone: true, key, ...(parameters && { parameters }) };
}

/** The action was not done; the key names the reason. */
export function notDone(key: string, parameters?: ActionOutcome["parameters"]): ActionOutcome {
    return { isDone: false, key, ...(parameters && { parameters }) };
}

/** What the actions work on. */
export interface GatewayActionsDeps {
    readonly connection: GatewayConnection;
    readonly control: LinkControl;
    readonly registration: Registration;
    readonly inventory: Inventory;
    readonly management: DeviceManagement;
    readonly listeners: GatewayListeners;
    readonly silentDevices: SilentDevices;
    readonly search: Pick<SuspectSearch, "release">;
    /** Drops the waiting events of a device; resolves with their number. */
    purge(device: string): Promise<number>;
}

const linkOutcomes = {
    connect: { done: "connectDone", notDone: "connectAlready", log: "gateway.connectByOperator" },
    disconnect: { done: "disconnectDone", notDone: "disconnectAlready", log: "gateway.disconnectByOperator" },
    pause: { done: "pauseDone", notDone: "pauseAlready", log: "gateway.pauseByOperator" },
    resume: { done: "resumeDone", notDone: "resumeAlready", log: "gateway.resumeByOperator" },
} as const satisfies Record<LinkAction, { readonly done: string; readonly notDone: string; readonly log: TextKey }>;

function byOperator(): ConnectionReason {
    return { code: "GW_NETWORK", isPlanned: true, text: translate("gateway.reconnectByOperator") };
}
