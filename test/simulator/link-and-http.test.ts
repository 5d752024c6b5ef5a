import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { requireRecord } from "../support/records";
import { usedBytes } from "../support/used-bytes";
import { waitFor } from "../support/wait-for";
import { call, json } from "./support/http";
import { TestPlatform } from "./support/platform";
import { RawClient } from "./support/raw-client";

describe("the HTTP API", () => {
    let platform: TestPlatform;
    beforeEach(async () => {
        platform = await TestPlatform.start();
    });
    afterEach(() => platform.close());

    const ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
        call(platform.simulator.httpPort, method, path, body, headers);

    it("POST /sim/link cuts the link of every client, refuses new ones and admits them again", async () => {
        const client = await platform.connect("g:org:mygw:gw1");
        assert.deepEqual(await ask("POST", "/sim/link", { down: true }), { status: 200, body: { down: true } });
        await client.whenClosed();
        await assert.rejects(RawClient.connect(platform.port, "g:org:mygw:gw1"));
        assert.deepEqual((await ask("GET", "/sim/link")).body, { down: true });
        await ask("POST", "/sim/link", { down: false });
        await platform.connect("g:org:mygw:gw1");
    });

    for (const [what, method, path, body, headers, status] of [
        ["an unknown path", "GET", "/nothing", undefined, json, 404],
        ["a body that is no JSON", "POST", "/sim/link", "{", json, 400],
        ["a body of the wrong form", "POST", "/sim/link", '{"down":1}', json, 400],
        ["a body not declared as JSON, as web pages can send", "POST", "/sim/link", '{"down":true}', {}, 415],
        ["a host that is a foreign name", "GET", "/sim/link", undefined, { Host: "evil.example:80" }, 403],
        ["a page of another machine", "POST", "/sim/link", '{"down":true}', { ...json, Origin: "https://evil.example" }, 403],
        ["a page of another address", "POST", "/sim/link", '{"down":true}', { ...json, Origin: "http://192.0.2.1:1880" }, 403],
        ["a page that hides its origin", "POST", "/sim/link", '{"down":true}', { ...json, Origin: "null" }, 403],
        ["a page of this machine", "GET", "/sim/link", undefined, { ...json, Origin: "http://localhost:1880" }, 200],
        ["a page at an address of this machine", "GET", "/sim/link", undefined, { ...json, Origin: "http://[::1]:1880" }, 200],
    ] as const) {
        it(`answers ${what} with ${status}`, async () => {
            assert.equal((await ask(method, path, body, headers)).status, status);
            assert.equal(platform.simulator.linkDown, false);
        });
    }

    it("does not let a page of another machine cancel a request, for which it would need no body", async () => {
        await platform.gateway();
        const order = { action: "device/reboot", devices: [{ typeId: "mygw", deviceId: "gw1" }] };
        const { reqId } = requireRecord((await ask("POST", "/api/v0002/mgmt/requests?org=org", order)).body);
        const cancel = `/api/v0002/mgmt/requests/${String(reqId)}/cancel?org=org`;
        assert.equal((await ask("POST", cancel, undefined, { Origin: "https://evil.example" })).status, 403);
    });

    it("answers a body without end with 400 as soon as it is too long, and keeps none of it", async () => {
        const before = usedBytes();
        const outgoing = request({
            host: "127.0.0.1",
            port: platform.simulator.httpPort,
            method: "POST",
            path: "/sim/link",
            headers: json,
        });
        outgoing.on("error", () => {});
        const answered = once(outgoing, "response");
        const chunk = Buffer.alloc(1_048_576);
        for (let sent = 0; sent < 40 && !outgoing.destroyed; sent++) {
            await new Promise<void>((resolve) => {
                outgoing.write(chunk, () => resolve());
            });
        }
        const [response] = await answered;
        assert.equal(response.statusCode, 400);
        outgoing.destroy();
        await waitFor(() => usedBytes() - before < 8 * 1_048_576, "the memory to be what it was");
        assert.equal((await ask("GET", "/sim/link")).status, 200);
    });

    it("requires the token if one is set", async () => {
        await platform.close();
        platform = await TestPlatform.start({ token: "s3cret" });
        const basic = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString("base64")}` });
        assert.equal((await ask("GET", "/sim/link", undefined, {})).status, 401);
        assert.equal((await ask("GET", "/sim/link", undefined, basic("key:wrong!"))).status, 401);
        assert.equal((await ask("GET", "/sim/link", undefined, basic("key:s3cret"))).status, 200);
        assert.equal((await ask("GET", "/sim/link", undefined, { Authorization: "Bearer s3cret" })).status, 200);
    });

    it("switches faults on and off", async () => {
        const fault = { fault: "refuseConnect", returnCode: 3, times: 1 };
        assert.deepEqual(await ask("POST", "/sim/faults", fault), { status: 201, body: fault });
        assert.deepEqual((await ask("GET", "/sim/faults")).body, { faults: [fault] });
        await assert.rejects(RawClient.connect(platform.port, "g:org:mygw:gw1"), /CONNACK 3/);
        await platform.connect("g:org:mygw:gw1");
        await ask("POST", "/sim/faults", { fault: "blackHole" });
        assert.equal((await ask("DELETE", "/sim/faults")).status, 204);
        await platform.connect("g:org:mygw:gw2");
    });

    for (const fault of [
        {},
        { fault: "nothing" },
        { fault: "delayPuback" },
        { fault: "delayPuback", delayMs: "1" },
        { fault: "blackHole", colour: "red" },
        "blackHole",
    ]) {
        it(`refuses the fault ${JSON.stringify(fault)}`, async () => {
            assert.equal((await ask("POST", "/sim/faults", JSON.stringify(fault))).status, 400);
            assert.equal(platform.simulator.faults.isEmpty, true);
        });
    }

    it("shows the received packets and the registered devices", async () => {
        const gateway = await platform.gateway();
        await gateway.publish("iot-2/type/sensor/id/s1/evt/e/fmt/json");
        assert.deepEqual((await ask("GET", "/sim/observed")).body, {
            clients: { "g:org:mygw:gw1": { connect: 1, subscribe: 1, publish: 1 } },
        });
        assert.deepEqual((await ask("GET", "/sim/devices?org=org")).body, {
            results: [
                { typeId: "mygw", deviceId: "gw1", disabled: false },
                { typeId: "sensor", deviceId: "s1", disabled: false, createdBy: "g:org:mygw:gw1" },
            ],
        });
        await platform.connect("a:other:app");
        assert.equal((await ask("GET", "/sim/devices")).status, 400, "with two organisations one must be named");
    });

    it("POST /sim/front-end/restart closes every connection and refuses new ones for a while", async () => {
        const client = await platform.connect("g:org:mygw:gw1");
        assert.equal((await ask("POST", "/sim/front-end/restart")).status, 204);
        await client.whenClosed();
        await platform.connect("g:org:mygw:gw1");
        assert.equal((await ask("POST", "/sim/front-end/restart", { downMs: 600_000 })).status, 204);
        await assert.rejects(RawClient.connect(platform.port, "g:org:mygw:gw1"));
    });

    it("POST /sim/front-end/move closes the connection of one client", async () => {
        const [one, other] = [await platform.connect("g:org:mygw:gw1"), await platform.connect("g:org:mygw:gw2")];
        assert.equal((await ask("POST", "/sim/front-end/move", { clientId: "g:org:mygw:gw1" })).status, 204);
        await one.whenClosed();
        assert.deepEqual(await other.settle(), []);
        assert.equal((await ask("POST", "/sim/front-end/move", { clientId: "g:org:mygw:gw1" })).status, 404);
    });

    it("POST /sim/front-end/back-off puts a device into the back-off", async () => {
        const gateway = await platform.gateway();
        await gateway.publish("iot-2/type/sensor/id/s1/evt/e/fmt/json");
        assert.equal((await ask("POST", "/sim/front-end/back-off?org=org", { typeId: "sensor", deviceId: "s1" })).status, 204);
        await gateway.publish("iot-2/type/sensor/id/s1/evt/e/fmt/json");
        assert.deepEqual(await gateway.settle(), [{ cmd: "stray" }]);
    });

    for (const [path, body] of [
        ["/sim/front-end/restart", { downMs: "1" }],
        ["/sim/front-end/move", {}],
        ["/sim/front-end/back-off?org=org", { typeId: "sensor" }],
    ] as const) {
        it(`answers ${JSON.stringify(body)} at ${path} with 400`, async () => {
            await platform.connect("g:org:mygw:gw1");
            assert.equal((await ask("POST", path, body)).status, 400);
        });
    }

    it("cuts the link of one client", async () => {
        const [one, other] = [await platform.connect("g:org:mygw:gw1"), await platform.connect("g:org:mygw:gw2")];
        assert.equal(platform.simulator.cut("g:org:mygw:gw1"), true);
        assert.equal(platform.simulator.cut("g:org:mygw:nobody"), false);
        await one.whenClosed();
        assert.deepEqual(await other.settle(), []);
    });
});
