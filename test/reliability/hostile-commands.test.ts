import assert from "node:assert/strict";
import path from "node:path";
import { generate } from "mqtt-packet";
import { ListeningBroker } from "../support/doubles/listening-broker";
import { gatewayNode } from "../support/drivers/flow-runner";
import { NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { waitFor } from "../support/wait-for";

/** A PUBLISH as a broker sends it. */
function publish(topic: string, payload: string | Buffer): Buffer {
    return generate({ cmd: "publish", topic, payload, qos: 0, messageId: 0, dup: false, retain: false });
}

const command = (payload: string | Buffer, format = "json") => publish(`iot-2/type/t/id/d1/cmd/c/fmt/${format}`, payload);
const notification = (payload: string | Buffer) => publish("iot-2/type/gw/id/gw1/notify", payload);
const requestSuffixes = ["observe", "cancel", "device/update", "mgmt/initiate/device/reboot", "mgmt/custom/b/a", "response", "nothing"];
const requests = (payload: string | Buffer) =>
    Buffer.concat(requestSuffixes.map((suffix) => publish(`iotdm-1/type/gw/id/gw1/${suffix}`, payload)));

/** Nodes of every kind that take something from the platform, each wired to two others, so that Node-RED clones the messages. */
function flow(port: number, caught: boolean): object[] {
    const onTab = (properties: object) => ({ z: "tab", x: 0, y: 0, wires: [], ...properties });
    return [
        { id: "tab", type: "tab", label: "hostile" },
        gatewayNode(port),
        onTab({ id: "commands", type: "device-command-in", gateway: "gateway", wires: [["echo", "sink"]] }),
        onTab({ id: "text", type: "device-command-in", gateway: "gateway", datatype: "utf8", wires: [["sink", "sink2"]] }),
        onTab({
            id: "responder",
            type: "dm-responder",
            gateway: "gateway",
            manage: false,
            firmwareActions: true,
            bundles: "b",
            wires: [
                ["responder", "sink"],
                ["sink", "sink2"],
            ],
        }),
        onTab({ id: "notices", type: "gateway-notify-in", gateway: "gateway", wires: [["sink", "sink2"]] }),
        onTab({ id: "sink", type: "debug", complete: "true", targetType: "full", console: false, tosidebar: true }),
        onTab({ id: "sink2", type: "debug", complete: "true", targetType: "full", console: false, tosidebar: true }),
        onTab({
            id: "echo",
            type: "function",
            outputs: 1,
            func: "return msg.payload && msg.payload.echo ? { payload: {}, eventId: 'echo' + msg.payload.echo } : null;",
            wires: [["event"]],
        }),
        onTab({ id: "event", type: "device-event-out", gateway: "gateway", source: "gateway", eventId: "eventId", eventIdType: "msg" }),
        ...(caught ? [onTab({ id: "catch", type: "catch", scope: null, wires: [["count"]] })] : []),
        onTab({
            id: "count",
            type: "function",
            outputs: 1,
            func: "context.set('n', (context.get('n') || 0) + 1); return { payload: String(context.get('n')), eventId: 'caught' };",
            wires: [["event"]],
        }),
    ];
}

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`hostile commands and notifications in ${version}`, () => {
        let broker: ListeningBroker;
        let nodeRed: NodeRedProcess;
        let echoes = 0;

        before(async function () {
            this.timeout(90_000);
            broker = await ListeningBroker.start();
            const nodesDir = [process.cwd(), path.join(process.cwd(), "test/reliability/fixtures/memory")];
            nodeRed = await NodeRedProcess.start(module, { settings: { nodesDir } });
        });

        after(async () => {
            await nodeRed?.stop();
            await broker?.stop();
        });

        async function deploy(caught: boolean): Promise<void> {
            const before = broker.count("subscribe");
            await nodeRed.deploy(flow(broker.port, caught));
            await waitFor(
                () => broker.count("subscribe") >= before + (before === 0 ? 2 : 0) && broker.connections.length > 0,
                "subscriptions",
            );
        }

        const send = async (bytes: Buffer) => broker.connections[0]?.send(bytes);
        const published = (eventId: string) =>
            broker.received.filter(({ packet }) => packet.cmd === "publish" && packet.topic.includes(`/evt/${eventId}/`)).length;

        /** A command goes through the flow and comes back as an event. */
        async function stillWorks(): Promise<void> {
            echoes += 1;
            await send(command(JSON.stringify({ echo: echoes })));
            await waitFor(() => published(`echo${echoes}`) === 1 || !nodeRed.isRunning, "the echo of a command", 60_000);
            assert.ok(nodeRed.isRunning, `Node-RED has ended:\n${nodeRed.log.slice(-2000)}`);
        }

        it("survives commands and notifications of any content", async function () {
            this.timeout(90_000);
            await deploy(true);
            await stillWorks();
            const deep = `${"[".repeat(65_000)}${"]".repeat(65_000)}`;
            const deepObject = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;
            const payloads = [
                deep,
                deepObject,
                `[${"0,".repeat(60_000)}0]`,
                `{${Array.from({ length: 9000 }, (_, index) => `"k${index}":1`).join()}}`,
                '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"hasOwnProperty":1,"toString":null}',
                '{"error":{"hasOwnProperty":1,"source":null},"_msgid":{}}',
                '{"reqId":{"a":[1,{"__proto__":{"polluted":true}}]},"d":{"fields":[{"field":"__proto__","value":{"polluted":true}},null,1]}}',
                '{"reqId":"r","d":{"fields":[{"field":"constructor","value":1}]},"rc":200}',
                '"\\ud800"',
                "1e999",
                "",
                "\ufeff{}",
                Buffer.from([0xff, 0xfe, 0x00, 0x01]),
                Buffer.alloc(130_000, 0xc0),
            ];
            for (const payload of payloads) {
                for (const format of ["json", "text", "bin", "x"]) await send(command(payload, format));
                await send(notification(payload));
                await send(requests(payload));
                await stillWorks();
            }
            await waitFor(() => published("caught") > 0, "a caught error");
        });

        it("keeps the log short under a flood of unreadable commands whose errors no node catches", async function () {
            this.timeout(90_000);
            await deploy(false);
            await stillWorks();
            const before = nodeRed.log.length;
            const batch = Buffer.concat(Array.from({ length: 500 }, () => command("{bad")));
            for (let sent = 0; sent < 20_000; sent += 500) await send(batch);
            await stillWorks();
            const lines = nodeRed.log.slice(before).split("\n");
            assert.ok(lines.length < 300, `${lines.length} lines, such as\n${lines.slice(0, 5).join("\n")}`);
        });

        it("passes each unreadable command to a Catch node, however many there are", async function () {
            this.timeout(90_000);
            await deploy(true);
            await stillWorks();
            const before = published("caught");
            const batch = Buffer.concat(Array.from({ length: 100 }, () => command("{bad")));
            for (let sent = 0; sent < 1000; sent += 100) await send(batch);
            await waitFor(() => published("caught") === before + 1000, "1000 caught errors", 60_000);
        });

        /** What Node-RED uses after a garbage collection. The resident memory says nothing: it follows what the heap once needed. */
        async function usedMegabytes(): Promise<number> {
            const { heapUsed, external } = await (await fetch(`${nodeRed.url}memory-probe/memory`)).json();
            return (Number(heapUsed) + Number(external)) / 1e6;
        }

        it("keeps log and memory bounded under 200 000 notifications, and keeps working", async function () {
            this.timeout(120_000);
            await deploy(true);
            await stillWorks();
            const fields = {
                Request: "PUBLISH",
                Topic: "iot-2/type/gw/id/gw1/evt/echo1/fmt/json",
                RC: 276,
                Message: "no",
                Type: "gw",
                Id: "gw1",
            };
            const batch = Buffer.concat(Array.from({ length: 500 }, () => notification(JSON.stringify(fields))));
            const flood = async () => {
                for (let sent = 0; sent < 100_000; sent += 500) await send(batch);
                await stillWorks();
            };
            const logged = nodeRed.log.length;
            await flood();
            const before = await usedMegabytes();
            await flood();
            const grown = (await usedMegabytes()) - before;
            assert.ok(grown < 8, `${grown.toFixed(1)} MB more after 100 000 notifications`);
            const lines = nodeRed.log.slice(logged).split("\n");
            assert.ok(lines.length < 300, `${lines.length} lines, such as\n${lines.slice(0, 5).join("\n")}`);
        });
    });
}
