import { GatewayError } from "../../errors";
import type { Gateway } from "../../gateway/gateway";
import { linkActions } from "../../gateway/link-control";
import type { ActionOutcome } from "../../gateway/monitor/gateway-actions";
import { troubleKinds } from "../../gateway/monitor/simulator-control";
import type { KeptSelection } from "../../gateway/monitor/undelivered-list";
import { translate } from "../../i18n";
import type { DeviceAddress } from "../../protocol/identity";
import { maxPayloadBytes } from "../../protocol/payload-limit";
import { choiceOption } from "../../settings";

type Body = Readonly<Record<string, unknown>>;

/** Carries an action out. It may throw or reject with an error of the request or of the gateway. */
type Action = (gateway: Gateway, body: Body) => ActionOutcome | Promise<ActionOutcome>;

/** The actions by their names in the address; those of the simulator are refused for other platforms. */
const actions: Readonly<Record<string, Action>> = {
    reconnect: (gateway) => gateway.actions.reconnect(),
    ...Object.fromEntries(linkActions.map((action) => [action, (gateway: Gateway) => gateway.actions.controlLink(action)])),
    release: (gateway, body) => gateway.actions.release(device(gateway, body)),
    purge: (gateway, body) => gateway.actions.purge(device(gateway, body)),
    forget: (gateway, body) => gateway.actions.forget(device(gateway, body)),
    resendUndelivered: (gateway, body) => gateway.undelivered.sendAgain(selection(body, false)),
    deleteUndelivered: (gateway, body) => gateway.undelivered.remove(selection(body, true)),
    releaseSuspect: (gateway, { id }) => gateway.actions.releaseSuspect(typeof id === "number" ? id : Number.NaN),
    "simulator-command": (gateway, body) =>
        simulatorOf(gateway).command({
            ...device(gateway, body),
            commandId: gateway.ids.parse("commandId", body.commandId),
            format: gateway.ids.parse("format", body.format),
            payload: text(body, "payload", maxPayloadBytes),
        }),
    "simulator-request": (gateway, body) =>
        simulatorOf(gateway).request({
            ...device(gateway, body),
            action: choiceOption(body, "action", requestRule),
            parameters: firmwareParameters(body),
        }),
    "simulator-trouble": (gateway, body) =>
        simulatorOf(gateway).trouble(device(gateway, body), body.kind === "none" ? undefined : choiceOption(body, "kind", troubleRule)),
    "simulator-link": (gateway, body) => simulatorOf(gateway).link(body.down === true),
};

const requestRule = { choices: ["device/reboot", "device/factoryReset", "firmware/download", "firmware/update"], fallback: "" } as const;
const troubleRule = { choices: troubleKinds, fallback: "refuse" } as const;
const maxParameterCharacters = 1_000;

/** The action of that name, or undefined. */
export function findAction(name: string): Action | undefined {
    return Object.hasOwn(actions, name) ? actions[name] : undefined;
}

/** The device that is meant, by the id that the flow gives it or by the one that takes its place. */
function device({ ids }: Gateway, { typeId, deviceId }: Body): DeviceAddress {
    return { typeId: ids.ofEvent("typeId", typeId), deviceId: ids.ofEvent("deviceId", deviceId) };
}

const maxIds = 10_000;
const maxSearchCharacters = 200;

/** Which undelivered events are meant: some by their numbers, or all of a search. Without a word those that a Catch node got are left out. */
function selection({ ids, search, caught }: Body, includesCaught: boolean): KeptSelection {
    const isList = Array.isArray(ids) && ids.length <= maxIds && ids.every((id) => Number.isSafeInteger(id));
    const isSearch = search === undefined || (typeof search === "string" && search.length <= maxSearchCharacters);
    if ((ids !== undefined && !isList) || !isSearch || (caught !== undefined && typeof caught !== "boolean")) {
        throw new GatewayError("GW_INVALID_PAYLOAD", translate("route.selection", { count: maxIds }));
    }
    return { ...(ids !== undefined && { ids }), search: search ?? "", includesCaught: caught ?? (ids !== undefined || includesCaught) };
}

function simulatorOf({ simulatorControl }: Gateway) {
    if (simulatorControl) return simulatorControl;
    throw new GatewayError("GW_CONFIG", translate("route.simulatorOnly"));
}

function firmwareParameters(body: Body): { name: string; value: string }[] {
    return ["version", "uri"].flatMap((name) => {
        const value = body[name] === undefined ? "" : text(body, name, maxParameterCharacters);
        return value === "" ? [] : [{ name, value }];
    });
}

function text(body: Body, name: string, maxBytes: number): string {
    const value = body[name];
    if (typeof value === "string" && Buffer.byteLength(value) <= maxBytes) return value;
    throw new GatewayError("GW_INVALID_PAYLOAD", translate("route.text", { property: name, count: maxBytes }));
}
