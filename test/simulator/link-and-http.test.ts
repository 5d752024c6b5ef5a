import assert from "node:assert/strict";
import { request } from "node:http";
import { TestPlatform } from "./support/platform";
import { RawClient } from "./support/raw-client";

describe("the line and the HTTP API", () => {
    let platform: TestPlatform;
    beforeEach(async () => {
        platform = await TestPlatform.start();
    });
    afterEach(() => platform.close());

    const json = { "Content-Type": "application/json" };

    function call(
        method: string,
        path: string,
        body?: string,
        headers: Record<string, string> = json,
    ): Promise<{ status: number; body: string }> {
        return new Promise((resolve, reject) => {
            const outgoing = request({ host: "127.0.0.1", port: platform.simulator.httpPort, method, path, headers }, (response) => {
                let text = "";
                response.on("data", (chunk: Buffer) => {
                    text += chunk.toString();
                });
                response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
            });
            outgoing.on("error", reject);
            outgoing.end(body);
        });
    }

    it("POST /sim/link cuts the line of every client, keeps new ones out and lets them in again", async () => {
        const client = await platform.connect("g:org:mygw:gw1");
        assert.deepEqual(await call("POST", "/sim/link", '{"down":true}'), { status: 200, body: '{"down":true}' });
        await client.whenClosed();
        await assert.rejects(RawClient.connect(platform.port, "g:org:mygw:gw1"));
        assert.equal((await call("GET", "/sim/link")).body, '{"down":true}');
        await call("POST", "/sim/link", '{"down":false}');
        await platform.connect("g:org:mygw:gw1");
    });

    for (const [what, method, path, body, headers, status] of [
        ["an unknown path", "GET", "/nothing", undefined, json, 404],
        ["a body that is no JSON", "POST", "/sim/link", "{", json, 400],
        ["a body of the wrong form", "POST", "/sim/link", '{"down":1}', json, 400],
        ["a body not declared as JSON, as web pages can send", "POST", "/sim/link", '{"down":true}', {}, 415],
        ["a host that is a foreign name", "GET", "/sim/link", undefined, { Host: "evil.example:80" }, 403],
    ] as const) {
        it(`answers ${what} with ${status}`, async () => {
            assert.equal((await call(method, path, body, headers)).status, status);
            assert.equal(platform.simulator.linkDown, false);
        });
    }

    it("cuts one client", async () => {
        const [one, other] = [await platform.connect("g:org:mygw:gw1"), await platform.connect("g:org:mygw:gw2")];
        assert.equal(platform.simulator.cut("g:org:mygw:gw1"), true);
        assert.equal(platform.simulator.cut("g:org:mygw:nobody"), false);
        await one.whenClosed();
        assert.deepEqual(await other.settle(), []);
    });
});
