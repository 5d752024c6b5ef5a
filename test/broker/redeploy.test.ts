import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import { TestAuthority } from "../support/doubles/certificates";
import { gatewayNode } from "../support/drivers/flow-runner";
import { Mosquitto, passwordFile } from "../support/drivers/mosquitto";
import { type DeployType, NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const token = secretToken;
const deployTypes: readonly DeployType[] = ["full", "flows", "nodes"];

/** What of a flow differs from deploy to deploy. */
interface FlowChoice {
    readonly gateway?: Record<string, unknown>;
    /** Other nodes. */
    readonly more?: readonly object[];
    /** Without the nodes that use the gateway. */
    readonly unused?: boolean;
}

/**
 * A source that numbers its events without a pause, an echo of each command as an event, and a node that differs from
 * deploy to deploy. The numbers live in the global context, which outlasts a deploy.
 */
function flow(port: number, version: number, { gateway = {}, more = [], unused = false }: FlowChoice = {}): object[] {
    const onTab = (properties: object) => ({ z: "tab", x: 0, y: 0, wires: [], ...properties });
    const users = [
        onTab({ id: "event", type: "device-event-out", gateway: "gateway", eventId: "count", eventIdType: "str" }),
        onTab({ id: "command", type: "device-command-in", gateway: "gateway", typeId: "pump", wires: [["echo"]] }),
        onTab({ id: "echoed", type: "device-event-out", gateway: "gateway", eventId: "echo", eventIdType: "str" }),
    ];
    return [
        { id: "tab", type: "tab", label: "redeploy" },
        gatewayNode(port, { outbox: "disk", ...gateway }),
        ...(unused ? [] : users),
        onTab({ id: "tick", type: "inject", repeat: "0.02", once: true, onceDelay: 0.01, props: [], wires: [["source"]] }),
        onTab({
            id: "source",
            type: "function",
            outputs: 1,
            func: 'const n = (global.get("n") || 0) + 1; global.set("n", n); return { payload: n, typeId: "pump", deviceId: "p1" };',
            wires: [["event"]],
        }),
        onTab({ id: "complete", type: "complete", scope: ["event"], wires: [["done"]] }),
        onTab({ id: "done", type: "function", func: 'global.set("done", (global.get("done") || []).concat(msg.payload)); return null;' }),
        onTab({
            id: "echo",
            type: "function",
            outputs: 1,
            func: `return { payload: msg.payload, typeId: 'pump', deviceId: 'p2', version: ${version} };`,
            wires: [["echoed"]],
        }),
        onTab({ id: "dump", type: "http in", url: "/dump", method: "get", wires: [["answer"]] }),
        onTab({
            id: "answer",
            type: "function",
            outputs: 1,
            func: 'msg.payload = { done: global.get("done") || [] }; return msg;',
            wires: [["response"]],
        }),
        onTab({ id: "response", type: "http response" }),
        ...more,
    ];
}

for (const [name, module] of Object.entries(nodeRedModules)) {
    describe(`redeploys in ${name}, on Mosquitto`, () => {
        const userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-redeploy-"));
        let broker: Mosquitto;
        let application: MqttClient;
        let nodeRed: NodeRedProcess;
        const received: { event: string; value: number }[] = [];
        let version = 0;
        let commands = 0;

        const launch = () =>
            NodeRedProcess.start(module, {
                userDir,
                settings: { nodesDir: [path.join(process.cwd(), "dist"), path.join(process.cwd(), "test/broker/fixtures/probe")] },
            });
        const deploy = (type: DeployType, choice: FlowChoice = {}) => nodeRed.deploy(flow(broker.port, ++version, choice), type);
        const values = (name: string) => received.filter(({ event }) => event === name).map(({ value }) => value);
        const connects = () => broker.count(/New client connected from .* as g:org:gw:gw1 /);
        const disconnects = () => broker.count(/Received DISCONNECT from g:org:gw:gw1$/);
        const done = async (): Promise<number[]> => (await (await fetch(`${nodeRed.url}dump`)).json()).done;

        const moreEvents = async (): Promise<void> => {
            const before = values("count").length;
            await waitFor(() => values("count").length > before + 5, "events");
        };

        /** Whatever the broker has done by now is in its log when this is. */
        const logged = async (): Promise<void> => {
            const mark = `mark/${++version}`;
            await application.publishAsync(mark, "", { qos: 1 });
            await broker.logged(new RegExp(`Received PUBLISH from application .*'${mark}'`));
        };

        const send = (): void => {
            commands += 1;
            application.publish("iot-2/type/pump/id/p9/cmd/go/fmt/json", String(commands), { qos: 1 });
        };

        /** Each command, and no more than that, in their order. */
        const echoesEachCommand = async (): Promise<void> => {
            await waitFor(() => values("echo").includes(commands), "the last command");
            assert.deepEqual(
                values("echo"),
                Array.from({ length: commands }, (_, index) => index + 1),
            );
        };

        /** Done means safe, so what is done now may still be on its way. */
        const deliversWhatIsDone = async (): Promise<void> => {
            const reported = await done();
            await waitFor(() => {
                const delivered = new Set(values("count"));
                return reported.every((value) => delivered.has(value));
            }, "every event that was reported done");
        };

        before(async () => {
            broker = await Mosquitto.start({
                general: ["allow_anonymous false", "password_file {dir}/passwords"],
                files: { passwords: passwordFile({ "use-token-auth": token, application: "application" }) },
            });
            application = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, {
                clientId: "application",
                username: "application",
                password: "application",
            });
            application.on("message", (topic, payload) => {
                received.push({ event: topic.split("/")[6] ?? "", value: Number(payload.toString()) });
            });
            await application.subscribeAsync("iot-2/type/+/id/+/evt/+/fmt/+", { qos: 1 });
            nodeRed = await launch();
        });

        after(async () => {
            await nodeRed?.stop();
            await application?.endAsync();
            await broker?.stop();
            rmSync(userDir, { recursive: true, force: true });
        });

        it("connects at once after a deploy that corrects a wrong token", async () => {
            await deploy("full", { gateway: { credentials: { token: "wrong" } } });
            await waitFor(() => nodeRed.log.includes("did not authorise g:org:gw:gw1"), "the refusal");
            assert.equal(connects(), 0);
            await deploy("nodes", { gateway: { credentials: { token } } });
            // The next attempt by itself would come after a minute.
            await waitFor(() => connects() === 1, "the connection");
            await moreEvents();
        });

        it("keeps the connection over deploys of every type that leave the gateway unchanged, and loses no event or command", async () => {
            await logged();
            const counts = () => [connects(), disconnects(), broker.count(/Received (UN)?SUBSCRIBE from g:org:gw:gw1$/)];
            const before = counts();
            const sending = setInterval(send, 5);
            try {
                for (const type of [...deployTypes, ...deployTypes, ...deployTypes]) {
                    await deploy(type);
                    await moreEvents();
                }
                // The next one comes while the flows of the last one are still starting.
                for (const type of [...deployTypes, ...deployTypes, ...deployTypes]) await deploy(type);
                await moreEvents();
            } finally {
                clearInterval(sending);
            }
            await echoesEachCommand();
            await deliversWhatIsDone();
            await logged();
            assert.deepEqual(counts(), before);
        });

        it("keeps commands waiting for a moment during a deploy that Node-RED rejects, and loses none", async () => {
            // Somebody else has deployed meanwhile.
            await assert.rejects(nodeRed.deploy(flow(broker.port, ++version), "full", "an old revision"), /409/);
            const startMs = performance.now();
            send();
            await echoesEachCommand();
            assert.ok(performance.now() - startMs > 1_000, "they wait from the announcement on");
        });

        it("reconnects once after a deploy that changes the gateway, and loses no event", async () => {
            const before = [connects(), disconnects()];
            await deploy("nodes", { gateway: { keepAlive: "45", cleanSession: false } });
            await waitFor(() => connects() > (before[0] ?? 0), "the new connection");
            await moreEvents();
            await deliversWhatIsDone();
            await logged();
            assert.deepEqual(
                [connects(), disconnects()],
                before.map((count) => count + 1),
            );
        });

        it("leaves no listener, socket or timer behind after two hundred deploys in a row", async function () {
            this.timeout(180_000);
            const choice = { gateway: { keepAlive: "45", cleanSession: false } };
            const held = async (): Promise<Record<string, number>> => (await fetch(`${nodeRed.url}probe`)).json();
            for (const type of deployTypes) await deploy(type, choice);
            await moreEvents();
            const before = await held();
            const connectsBefore = connects();
            for (let round = 0; round < 200; round++) await deploy(deployTypes[round % 3] ?? "full", choice);
            await moreEvents();
            let now: Record<string, number> = {};
            const isBack = async () => {
                now = await held();
                // A timer or two come and go with the events and with the request itself.
                return Object.entries(now).every(([kind, count]) => count <= (before[kind] ?? 0) + (kind === "Timeout" ? 2 : 0));
            };
            await waitFor(isBack, "Node-RED to hold what it held before").catch((error: unknown) => {
                throw new Error(`${String(error)}; it held ${JSON.stringify(before)} and holds ${JSON.stringify(now)}`);
            });
            await logged();
            assert.equal(connects(), connectsBefore);
            assert.doesNotMatch(nodeRed.log, /MaxListenersExceededWarning/);
        });

        it("loses no command of a durable session over deploys and restarts", async () => {
            await nodeRed.kill("SIGTERM");
            for (let i = 0; i < 50; i++) send();
            await logged();
            nodeRed = await launch();
            await echoesEachCommand();
        });

        it("sends only the difference after a deploy that changes a filter", async () => {
            const choice = { gateway: { keepAlive: "45", cleanSession: false } };
            const user = (typeId: string) => ({
                id: "other",
                type: "device-command-in",
                gateway: "gateway",
                typeId,
                z: "tab",
                x: 0,
                y: 0,
                wires: [],
            });
            const sent = () => broker.log.flatMap((line) => /: g:org:gw:gw1 (?:1 )?(iot-2\/type\/\w+)\/id\/\+\/cmd/.exec(line)?.[1] ?? []);
            await logged();
            const before = sent().length;
            await deploy("nodes", { ...choice, more: [user("valve")] });
            await waitFor(() => sent().length > before, "the new filter");
            await deploy("nodes", { ...choice, more: [user("motor")] });
            await waitFor(() => sent().length > before + 2, "the filter that replaces it");
            await deploy("nodes", choice);
            await waitFor(() => sent().length > before + 3, "the last of it");
            await logged();
            // Each is subscribed once and given up once.
            assert.deepEqual(sent().slice(before).sort(), ["iot-2/type/motor", "iot-2/type/motor", "iot-2/type/valve", "iot-2/type/valve"]);
        });

        it("ends the connection with DISCONNECT when a deploy removes the last node, and opens it for the next one", async () => {
            const choice = { gateway: { keepAlive: "45", cleanSession: false } };
            const before = [connects(), disconnects()];
            await deploy("nodes", { ...choice, unused: true });
            await waitFor(() => disconnects() > (before[1] ?? 0), "DISCONNECT");
            await deploy("nodes", choice);
            await waitFor(() => connects() > (before[0] ?? 0), "the connection");
            await moreEvents();
            await deliversWhatIsDone();
        });

        it("connects a refused gateway once a deploy removes the other one in conflict", async () => {
            const user = (id: string, outbox: string, isNew: boolean) => [
                gatewayNode(broker.port, { id, orgId: "org2", outbox, ...(isNew ? { credentials: { token } } : {}) }),
                { id: `${id}-command`, type: "device-command-in", gateway: id, z: "tab", x: 0, y: 0, wires: [] },
            ];
            const choice = { gateway: { keepAlive: "45", cleanSession: false } };
            const rivals = () => broker.count(/New client connected from .* as g:org2:gw:gw1 /);
            const subscribed = (times: number) => broker.logged(/: g:org2:gw:gw1 1 iot-2\/type\/\+\/id\/\+\/cmd/, times);
            await deploy("nodes", { ...choice, more: user("first", "off", true) });
            await subscribed(1);
            await deploy("nodes", { ...choice, more: [...user("first", "off", false), ...user("second", "memory", true)] });
            await waitFor(() => /uses the identity g:org2:gw:gw1 with different settings/.test(nodeRed.log), "the refusal");
            assert.equal(rivals(), 1);
            await deploy("nodes", { ...choice, more: user("second", "memory", false) });
            await subscribed(2);
            assert.equal(rivals(), 2);
        });

        it("connects at once after a deploy that corrects the TLS settings", async () => {
            const authority = new TestAuthority("Plant CA");
            const { cert, key } = authority.issue({ commonName: "broker", names: ["DNS:localhost"] });
            const secure = await Mosquitto.start({
                listener: ["certfile {dir}/server.crt", "keyfile {dir}/server.key"],
                files: { "server.crt": cert, "server.key": key },
            });
            const more = (credentials: object) => [
                { id: "tls", type: "tls-config", cert: "", key: "", ca: "", verifyservercert: true, ...credentials },
                gatewayNode(secure.port, {
                    id: "secure",
                    deviceId: "gw2",
                    host: "localhost",
                    transport: "tls",
                    tls: "tls",
                    outbox: "memory",
                }),
                { id: "secure-command", type: "device-command-in", gateway: "secure", z: "tab", x: 0, y: 0, wires: [] },
            ];
            const choice = { gateway: { keepAlive: "45", cleanSession: false } };
            try {
                await deploy("nodes", { ...choice, more: more({}) });
                await waitFor(() => /certificate of localhost .* not trusted/.test(nodeRed.log), "the reason");
                await deploy("nodes", { ...choice, more: more({ credentials: { cadata: authority.cert } }) });
                await waitFor(() => secure.connects === 1, "the connection");
                await deploy("nodes", choice);
            } finally {
                await secure.stop();
                authority.remove();
            }
        });

        it("closes with DISCONNECT when Node-RED ends", async () => {
            await nodeRed.stop();
            await logged();
            assert.equal(disconnects(), connects());
        });
    });
}
