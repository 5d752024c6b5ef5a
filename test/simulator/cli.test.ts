import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import { freePortPair } from "../support/ports";
import { call } from "./support/http";
import { RawClient } from "./support/raw-client";

const cli = path.join(__dirname, "..", "..", "src", "simulator", "cli.js");

describe("the command line", () => {
    let child: ChildProcess;
    afterEach(() => {
        child.kill("SIGKILL");
    });

    function run(...args: string[]): { lines: Interface; stderr: () => string } {
        const started = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", "pipe", "pipe"] });
        child = started;
        let errors = "";
        started.stderr.on("data", (chunk: Buffer) => {
            errors += chunk.toString();
        });
        return { lines: createInterface({ input: started.stdout }), stderr: () => errors };
    }

    async function nextEvent(lines: AsyncIterator<string>): Promise<Record<string, unknown>> {
        const { value, done } = await lines.next();
        if (done) throw new Error("There is no further line.");
        return JSON.parse(value);
    }

    function portOf(url: unknown): number {
        return Number(new URL(String(url)).port);
    }

    it("listens on this machine only and logs that, logs JSON lines without the token, and ends cleanly on SIGTERM", async () => {
        const { lines } = run("--port", "0", "--http-port", "0", "--org", "org1", "--token", "s3cret");
        const events = lines[Symbol.asyncIterator]();
        const seen: Record<string, unknown>[] = [];
        const next = async (): Promise<Record<string, unknown>> => {
            const event = await nextEvent(events);
            seen.push(event);
            return event;
        };
        const listening = await next();
        assert.deepEqual([listening.event, listening.message], ["listening", "This machine only."]);
        const port = portOf(listening.mqtt);
        await assert.rejects(RawClient.connect(port, "g:org1:mygw:gw1"), /CONNACK 5/);
        assert.equal((await next()).event, "refused");
        await assert.rejects(RawClient.connect(port, "g:other:mygw:gw1", { password: Buffer.from("s3cret") }), /CONNACK 5/);
        assert.equal((await next()).event, "refused");
        const client = await RawClient.connect(port, "g:org1:mygw:gw1", { password: Buffer.from("s3cret") });
        assert.deepEqual((await next()).clientId, "g:org1:mygw:gw1");
        await client.publish("iot-2/type/sensor/id/s1/evt/e/fmt/json");
        const registered = await next();
        assert.deepEqual([registered.event, registered.device], ["registered", "sensor/s1"]);
        assert.equal((await call(portOf(listening.http), "GET", "/sim/link")).status, 401);
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        assert.deepEqual(await ended, [0, null]);
        await client.whenClosed();
        assert.deepEqual([(await next()).event, (await next()).event], ["disconnected", "stopped"]);
        assert.equal(JSON.stringify(seen).includes("s3cret"), false);
    });

    it("accepts any organisation and no token without options", async () => {
        const { lines } = run("--port=0", "--http-port=0");
        const { mqtt } = await nextEvent(lines[Symbol.asyncIterator]());
        const client = await RawClient.connect(portOf(mqtt), "g:whatever:mygw:gw1", { password: Buffer.alloc(0) });
        client.destroy();
    });

    it("checks every device again after it was killed and started, and accepts those that are not too many at once", async () => {
        const port = await freePortPair();
        const listening = () => nextEvent(run(`--port=${port}`, `--http-port=${port + 1}`).lines[Symbol.asyncIterator]());
        await listening();
        const publishAtOnce = async (ids: readonly string[]) => {
            const client = await RawClient.connect(port, "g:org:mygw:gw1");
            await client.subscribe("iot-2/type/mygw/id/gw1/notify", 0);
            for (const id of ids) client.publishOnly(`iot-2/type/sensor/id/${id}/evt/e/fmt/json`);
            for (const _ of ids) await client.next(({ cmd }) => cmd === "puback");
            return client;
        };
        for (const id of ["s1", "s2", "s3"]) (await publishAtOnce([id])).destroy();
        const killed = once(child, "exit");
        child.kill("SIGKILL");
        await killed;
        await listening();
        const slow = { fault: "registration", devices: "sensor/never*", never: true };
        assert.equal((await call(port + 1, "POST", "/sim/faults", slow)).status, 201);
        const client = await publishAtOnce(["s1"]);
        for (let index = 0; index < 10; index++) client.publishOnly(`iot-2/type/sensor/id/never${index}/evt/e/fmt/json`);
        await client.publish("iot-2/type/sensor/id/s2/evt/e/fmt/json");
        await client.next(({ cmd }) => cmd === "stray");
        const notification = await client.message();
        assert.match(notification.payload.toString(), /"Id":"s2",.*"RC":173/);
        client.destroy();
    });

    it("logs that other machines can reach it", async () => {
        const { lines } = run("--port", "0", "--http-port", "0", "--host", "0.0.0.0");
        const { message } = await nextEvent(lines[Symbol.asyncIterator]());
        assert.match(String(message), /other machines/);
    });

    it("--help explains every option", async () => {
        const { lines } = run("--help");
        const ended = once(child, "exit");
        let text = "";
        for await (const line of lines) text += line;
        for (const option of ["--port", "--http-port", "--host", "--org", "--token"]) assert.ok(text.includes(option));
        assert.deepEqual(await ended, [0, null]);
    });

    for (const [what, args, words] of [
        ["an unknown option", ["--colour", "red"], /--colour/],
        ["a port that is none", ["--port", "many"], /--port must be a whole number/],
        ["an argument without a name", ["1883"], /1883/],
    ] as const) {
        it(`ends with status 2 and a message at ${what}`, async () => {
            const { stderr } = run(...args);
            assert.deepEqual(await once(child, "close"), [2, null]);
            assert.match(stderr(), words);
        });
    }

    it("ends with status 1 and names the port that is taken", async () => {
        const { lines } = run("--port", "0", "--http-port", "0");
        const first = child;
        const { mqtt } = await nextEvent(lines[Symbol.asyncIterator]());
        const { stderr } = run("--port", String(portOf(mqtt)), "--http-port", "0");
        assert.deepEqual(await once(child, "close"), [1, null]);
        assert.ok(stderr().includes(`port ${portOf(mqtt)} of 127.0.0.1`));
        first.kill("SIGKILL");
    });
});
