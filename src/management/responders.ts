import { GatewayError } from "../errors";
import { translate } from "../i18n";
import type { DeviceAddress } from "../protocol/identity";
import type { Responder } from "./responder";
import { type TargetMatch, TargetTable } from "./target-table";

/** Every responder of a gateway, and which of them answers for a device. Two with the same target are told that they are in conflict. */
export class ResponderTable {
    readonly #gateway: DeviceAddress;
    readonly #targets: TargetTable<Responder>;
    readonly #responders = new Set<Responder>();
    readonly #inConflict = new WeakSet<Responder>();

    constructor(gateway: DeviceAddress) {
        this.#gateway = gateway;
        this.#targets = new TargetTable(gateway);
    }

    /** Every responder, whoever it answers for. */
    get all(): ReadonlySet<Responder> {
        return this.#responders;
    }

    add(responder: Responder): void {
        this.#responders.add(responder);
        this.#reportConflicts(this.#targets.add(responder.options.target, responder));
    }

    /** Removes a responder; false if it was removed before. */
    remove(responder: Responder): boolean {
        if (!this.#responders.delete(responder)) return false;
        this.#reportConflicts(this.#targets.remove(responder.options.target, responder));
        return true;
    }

    /** Who answers for a device, if it is one and only one. */
    find(device: DeviceAddress): TargetMatch<Responder> {
        return this.#targets.find(device);
    }

    /** The responder that answers for a device; undefined when there is none, or several contend for it. */
    ownerOf(device: DeviceAddress): Responder | undefined {
        const match = this.#targets.find(device);
        return match.kind === "one" ? match.owner : undefined;
    }

    /** The one device that a responder answers for, or undefined when it stands for several. */
    singleDevice({ options }: Responder): DeviceAddress | undefined {
        return this.#targets.singleDevice(options.target);
    }

    /** The ids that a message of the flow to a responder need not name. */
    impliedIds({ options: { target } }: Responder): Partial<DeviceAddress> {
        if (target.kind === "gateway") return this.#gateway;
        return { ...(target.typeId && { typeId: target.typeId }), ...(target.deviceId && { deviceId: target.deviceId }) };
    }

    #reportConflicts(owners: ReadonlySet<Responder>): void {
        const isTie = owners.size > 1;
        for (const responder of owners) {
            if (this.#inConflict.has(responder) === isTie) continue;
            if (isTie) this.#inConflict.add(responder);
            else this.#inConflict.delete(responder);
            responder.listener.conflictChanged(isTie ? new GatewayError("GW_CONFIG", translate("management.conflict")) : undefined);
        }
    }
}
