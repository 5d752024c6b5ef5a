import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { FaultyLine } from "../support/doubles/faulty-line";
import { ListeningBroker } from "../support/doubles/listening-broker";
import { gatewayNode } from "../support/drivers/flow-runner";
import { NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { SeededRandom } from "../support/seeded-random";
import { waitFor } from "../support/wait-for";
import { RecordingProxy } from "./support/recording-proxy";

const rounds = 200;
const maxUnacknowledged = 8;
const commandTopic = (typeId: string) => `iot-2/type/${typeId}/id/a1/cmd/move/fmt/json`;

/** One line of what the machine noted. */
interface Note {
    /** Milliseconds since the epoch. */
    readonly at: number;
    readonly what: "begun" | "finished" | "stopped";
    readonly command: string;
    readonly duplicate: boolean;
    readonly process: number;
}

/** Why a command was handed over once more. */
interface Repeats {
    /** The flow had not finished it: the process was killed, or its node stopped. */
    interrupted: number;
    /** The flow had finished it behind an unfinished one, and its acknowledgement had not left. */
    behindOthers: number;
    /** Its acknowledgement left the gateway, and got lost with the line. */
    lostAcknowledgement: number;
}

/**
 * A gateway, then a proxy that notes what leaves it, a line that is cut, a proxy that notes what reaches the broker, and a broker that keeps
 * the session. (Mosquitto 2.0.11 forgets what it queued for an absent client behind unacknowledged messages.)
 */
describe("200 rounds of commands for a machine, with kills, cuts and deploys of each kind", () => {
    const random = new SeededRandom(22);
    const userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-actuator-"));
    const file = path.join(userDir, "actuator.jsonl");
    let broker: ListeningBroker;
    let atBroker: RecordingProxy;
    let line: FaultyLine;
    let atGateway: RecordingProxy;
    let nodeRed: NodeRedProcess;
    const sent: { command: string; isAnswered: boolean }[] = [];
    let version = 0;

    before(async function () {
        this.timeout(120_000);
        writeFileSync(file, "");
        broker = await ListeningBroker.start();
        atBroker = await RecordingProxy.start(() => broker.port);
        line = await FaultyLine.to(atBroker.port);
        atGateway = await RecordingProxy.start(() => line.port);
        nodeRed = await launch();
        await deploy("full");
        await waitFor(() => atGateway.subscribed >= 3, "the subscriptions");
    });

    after(async () => {
        await nodeRed?.stop();
        await atGateway?.stop();
        line?.reset();
        line?.refuse();
        await atBroker?.stop();
        await broker?.stop();
        rmSync(userDir, { recursive: true, force: true });
    });

    const launch = () =>
        NodeRedProcess.start(nodeRedModules["Node-RED 5"], {
            userDir,
            settings: { nodesDir: [process.cwd(), path.join(process.cwd(), "test/reliability/fixtures/actuator")] },
        });

    /** A machine that does not answer, and one that does. */
    function flow(touched: "nodes" | "flow" | "gateway"): object[] {
        version += 1;
        const at = (more: object) => ({ z: "tab", x: 0, y: 0, ...more });
        const name = touched === "nodes" ? String(version) : "";
        const machine = (typeId: string, more: object) => [
            at({
                ...{ id: typeId, type: "device-command-in", gateway: "gateway", name, typeId, acknowledge: "flow", timeout: "600" },
                ...{ inputs: 1, wires: [[`${typeId}-machine`]] },
                ...more,
            }),
            at({ id: `${typeId}-machine`, type: "actuator", name, file, wires: [[typeId]] }),
        ];
        return [
            { id: "tab", type: "tab", label: touched === "flow" ? String(version) : "machines" },
            gatewayNode(atGateway.port, {
                outbox: "disk",
                cleanSession: false,
                keepAlive: touched === "gateway" ? String(60 + (version % 60)) : "60",
            }),
            ...machine("pump", {}),
            ...machine("valve", { answer: "{commandId}-done" }),
            at({ id: "comment", type: "comment", name: touched === "flow" ? String(version) : "" }),
        ];
    }

    async function deploy(type: "full" | "flows" | "nodes", touched: Parameters<typeof flow>[0] = "nodes"): Promise<void> {
        await nodeRed.deploy(flow(touched), type);
    }

    /** As the menu entry "Restart flows". */
    async function restartFlows(): Promise<void> {
        const headers = { "content-type": "application/json", "Node-RED-API-Version": "v2", "Node-RED-Deployment-Type": "reload" };
        const response = await nodeRed.ask("flows", { method: "POST", headers, body: JSON.stringify({ flows: [] }) });
        assert.ok(response.ok, `${response.status}`);
    }

    async function kill(): Promise<void> {
        await nodeRed.kill("SIGKILL");
        nodeRed = await launch();
    }

    const faults: Readonly<Record<string, () => void | Promise<void>>> = {
        cut: () => line.reset(),
        "deploy of the nodes": () => deploy("nodes"),
        "deploy of the flow": () => deploy("flows", "flow"),
        "deploy of everything": () => deploy("full"),
        "deploy of the gateway": () => deploy("nodes", "gateway"),
        "restart of the flows": restartFlows,
    };

    function send(): void {
        const isAnswered = random.next() < 0.5;
        const command = JSON.stringify({ number: sent.length + 1, takesMs: random.next() < 0.1 ? 300 : random.integer(0, 40) });
        sent.push({ command, isAnswered });
        broker.publish(commandTopic(isAnswered ? "valve" : "pump"), command, { qos: 1 });
    }

    function notes(): Note[] {
        // The last piece is empty, or a line that is being written.
        const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
        return lines.map((text) => JSON.parse(text));
    }

    /** How often each command was begun again, and why; fails where there was no reason. */
    function repeatsIn(noted: readonly Note[]): Repeats {
        const repeats: Repeats = { interrupted: 0, behindOthers: 0, lostAcknowledgement: 0 };
        const last = new Map<string, Note>();
        for (const note of noted) {
            const before = last.get(note.command);
            last.set(note.command, note);
            if (note.what !== "begun" || !before) continue;
            const isAtWork = before.what === "begun" && before.process === note.process;
            assert.ok(!isAtWork, `${note.command} was handed over twice at the same time`);
            assert.equal(note.duplicate, true, `${note.command} came again and was not marked`);
            const hasLeft = (atGateway.acknowledgedCommands.get(note.command) ?? Number.POSITIVE_INFINITY) < note.at;
            const hasArrived = (atBroker.acknowledgedCommands.get(note.command) ?? Number.POSITIVE_INFINITY) < note.at;
            assert.ok(!hasArrived, `${note.command} came again although it was acknowledged`);
            if (hasLeft) repeats.lostAcknowledgement += 1;
            else if (before.what === "finished") repeats.behindOthers += 1;
            else repeats.interrupted += 1;
        }
        return repeats;
    }

    it("loses no command, repeats only those whose acknowledgement had not left, and hands over none twice at the same time", async function () {
        this.timeout(300_000);
        const kinds = Object.values(faults);
        for (let round = 0; round < rounds; round++) {
            for (let count = random.integer(1, 4); count > 0; count--) send();
            if (round % 40 === 20) await kill();
            else if (round % 3 === 0) await kinds[(round / 3) % kinds.length]?.();
            // The next fault meets some commands in work, but not all that there ever were.
            await waitFor(() => sent.length - atBroker.acknowledgedCommands.size <= maxUnacknowledged, "acknowledgements");
        }
        await waitFor(() => atBroker.acknowledgedCommands.size === sent.length, "every acknowledgement");
        const answered = () => new Set(broker.taken.map(({ payload }) => JSON.stringify(JSON.parse(String(payload)).d)));
        await waitFor(() => sent.every(({ command, isAnswered }) => !isAnswered || answered().has(command)), "every answer");
        const noted = notes();
        const finished = new Set(noted.filter(({ what }) => what === "finished").map(({ command }) => command));
        assert.deepEqual(
            sent.filter(({ command }) => !finished.has(command)),
            [],
            "lost",
        );
        const repeats = repeatsIn(noted);
        console.log(`        ${sent.length} commands, 0 lost; repeated: ${JSON.stringify(repeats)}`);
        assert.ok(repeats.interrupted > 0, "kills and deploys have interrupted some");
        assert.ok(repeats.interrupted + repeats.behindOthers + repeats.lostAcknowledgement < sent.length, "most are handed over once");
    });
});
