import { freePortPair } from "../ports";
import type { NodeRedProcess } from "./node-red-process";

/**
 * Deploys a gateway on the simulator: an event of `pump/p1` five times a second, and others when `inject` is called.
 * @param more further nodes
 * @returns the simulator's port
 */
export async function deployPanelFlow(nodeRed: NodeRedProcess, more: readonly object[] = []): Promise<number> {
    const port = await freePortPair();
    const inject = { type: "inject", z: "f1", props: [{ p: "payload" }], x: 120, wires: [["t1"]] };
    const target = "const [deviceId, count, ttl] = msg.payload.split(' '); for (let i = 0; i < (count ?? 1); i++) ";
    await nodeRed.deploy([
        ...more,
        { id: "f1", type: "tab", label: "Hall 4" },
        {
            id: "g1",
            type: "gateway-config",
            name: "Hall 4",
            platform: "simulator",
            port: String(port),
            orgId: "demo",
            typeId: "gateway",
            deviceId: "hall-4",
            outbox: "memory",
        },
        { ...inject, id: "i1", repeat: "0.2", once: true, payload: "p1", payloadType: "str", y: 80 },
        { ...inject, id: "i2", payload: "bad", payloadType: "str", y: 140 },
        { ...inject, id: "i3", payload: "many- 10000", payloadType: "str", y: 200 },
        { ...inject, id: "i6", payload: "late- 10000 1", payloadType: "str", y: 260 },
        {
            id: "t1",
            type: "function",
            z: "f1",
            name: "",
            func: `${target}node.send({ payload: i, ttl, deviceId: count ? deviceId + i : deviceId });`,
            x: 300,
            y: 140,
            wires: [["e1"]],
        },
        {
            id: "e1",
            type: "device-event-out",
            z: "f1",
            gateway: "g1",
            typeId: "pump",
            typeIdType: "str",
            deviceId: "deviceId",
            deviceIdType: "msg",
            eventId: "status",
            eventIdType: "str",
            x: 500,
            y: 140,
            wires: [],
        },
        { id: "d1", type: "dm-responder", z: "f1", gateway: "g1", respond: "auto", firmwareActions: true, x: 500, y: 220, wires: [[], []] },
    ]);
    return port;
}

/** Sends the events of one of the inject nodes: `i2` one of `pump/bad`, `i3` one of each of ten thousand new devices, `i6` the same with a second to live. */
export async function inject(nodeRed: NodeRedProcess, id: string): Promise<void> {
    const response = await nodeRed.ask(`inject/${id}`, { method: "POST" });
    if (!response.ok) throw new Error(`inject ${id}: ${response.status}`);
}
