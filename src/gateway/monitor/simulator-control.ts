import { type DeviceAddress, deviceKey, type GatewayIdentity } from "../../protocol/identity";
import { returnCodes } from "../../protocol/notification";
import type { Fault, Simulator } from "../../simulator/simulator";
import { type ActionOutcome, done, notDone } from "./gateway-actions";

/** Plays the platform for the organisation of one gateway, for a demonstration. */
export class SimulatorControl {
    readonly #identity: GatewayIdentity;
    /** The simulator, while it runs. */
    readonly #find: () => Simulator | undefined;

    constructor(identity: GatewayIdentity, find: () => Simulator | undefined) {
        this.#identity = identity;
        this.#find = find;
    }

    /** The simulated platform at this moment; undefined while it does not run. */
    get view(): SimulatorView | undefined {
        const played = this.#played;
        if (!played) return undefined;
        const { simulator, organisation } = played;
        const requests = organisation.management.requests.list().slice(-shown);
        return {
            isLineCut: simulator.linkDown,
            troubles: simulator.faults.list().flatMap(troubleOf).slice(0, shown),
            requests: requests.flatMap(({ action, devices }) =>
                devices.slice(0, 1).map(({ typeId, deviceId, status, rc, message }) => ({
                    action,
                    typeId,
                    deviceId,
                    status,
                    ...(rc !== undefined && { rc }),
                    ...(message !== undefined && { message }),
                })),
            ),
        };
    }

    /** Sends a command as an application would. */
    command({ typeId, deviceId, commandId, format, payload }: SimulatedCommand): ActionOutcome {
        const played = this.#played;
        if (!played) return notDone("noSimulator");
        const topic = `iot-2/type/${typeId}/id/${deviceId}/cmd/${commandId}/fmt/${format}`;
        const copies = played.simulator.publish(this.#identity.orgId, topic, payload);
        return copies > 0 ? done("commandSent") : notDone("commandUnwanted");
    }

    /** Starts a request to a device, as the platform's dashboard would. */
    async request({ typeId, deviceId, action, parameters }: SimulatedRequest): Promise<ActionOutcome> {
        const played = this.#played;
        if (!played) return notDone("noSimulator");
        const { readOrder } = await import("../../simulator/management/request-order.js");
        const order = readOrder({ action, parameters, devices: [{ typeId, deviceId }] }, null, null);
        if (typeof order === "string") return notDone("requestInvalid", { reason: order });
        const { requests } = played.organisation.management;
        const [status] = requests.get(requests.start(order))?.devices ?? [];
        if (status?.status === "failed") return notDone("requestFailed", { reason: status.message ?? "" });
        return done("requestStarted");
    }

    /** Makes trouble for a device in place of other trouble, or (undefined) ends it together with the platform's own back-off. */
    trouble(address: DeviceAddress, kind: TroubleKind | undefined): ActionOutcome {
        const played = this.#played;
        if (!played) return notDone("noSimulator");
        const { simulator, organisation } = played;
        const device = deviceKey(address);
        const topic = `iot-2/type/${address.typeId}/id/${address.deviceId}/*`;
        const removed = simulator.faults.remove((fault) =>
            fault.fault === "registration" ? fault.devices === device : fault.topic === topic,
        );
        // What the platform has decided of the device so far does not count any more.
        organisation.forgetChecks(address);
        if (kind === undefined) return removed > 0 ? done("troubleEnded") : notDone("noTrouble");
        for (const fault of troubleFaults(kind, device, topic)) simulator.faults.add(fault);
        return done(troubleOutcomes[kind]);
    }

    /** Cuts the line of every client of this simulator, or mends it. */
    link(isDown: boolean): ActionOutcome {
        const simulator = this.#find();
        if (!simulator) return notDone("noSimulator");
        if (simulator.linkDown === isDown) return notDone(isDown ? "lineIsCut" : "lineIsWhole");
        simulator.setLink(isDown);
        return done(isDown ? "lineCut" : "lineMended");
    }

    /** The simulator and the gateway's organisation in it; undefined while there is none, or when the simulator does not take its name. */
    get #played() {
        const simulator = this.#find();
        if (!simulator) return undefined;
        try {
            return { simulator, organisation: simulator.organisation(this.#identity.orgId) };
        } catch {
            return undefined;
        }
    }
}

/** How the simulated platform can treat a device: not allow it, fail to register it, or never answer. */
export const troubleKinds = ["refuse", "fail", "silent"] as const;
export type TroubleKind = (typeof troubleKinds)[number];

/** A command to send. */
export interface SimulatedCommand extends DeviceAddress {
    readonly commandId: string;
    readonly format: string;
    readonly payload: string;
}

/** A device management request to start. */
export interface SimulatedRequest extends DeviceAddress {
    readonly action: string;
    readonly parameters: readonly { readonly name: string; readonly value: string }[];
}

/** The simulated platform, as an operator sees it. */
export interface SimulatorView {
    readonly isLineCut: boolean;
    readonly troubles: readonly (DeviceAddress & { readonly kind: TroubleKind })[];
    /** Its last requests to devices, as it sees them; the oldest first. */
    readonly requests: readonly (DeviceAddress & {
        readonly action: string;
        readonly status: string;
        readonly rc?: number;
        readonly message?: string;
    })[];
}

const troubleCodes = { refuse: returnCodes.notAuthorised, fail: returnCodes.systemError } as const;
const words = {
    refuse: "The device is not allowed (by an operator of the simulator).",
    fail: "The registration failed (by an operator of the simulator).",
};
const troubleOutcomes = { refuse: "refusing", fail: "failing", silent: "silenced" } as const;
const shown = 10;

/** One fault for the registration of the device, one for the messages of a known device. */
function troubleFaults(kind: TroubleKind, devices: string, topic: string): Fault[] {
    if (kind === "silent")
        return [
            { fault: "registration", devices, never: true },
            { fault: "withholdPuback", topic },
        ];
    const rc = troubleCodes[kind];
    return [
        { fault: "registration", devices, rc },
        { fault: "refusePublish", topic, rc, message: words[kind] },
    ];
}

function troubleOf(fault: Fault): (DeviceAddress & { kind: TroubleKind })[] {
    if (fault.fault !== "registration" || fault.devices.includes("*")) return [];
    const [typeId = "", deviceId = ""] = fault.devices.split("/");
    const kind = fault.never ? "silent" : fault.rc === troubleCodes.refuse ? "refuse" : fault.rc === undefined ? undefined : "fail";
    return kind ? [{ typeId, deviceId, kind }] : [];
}
