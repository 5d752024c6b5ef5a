import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { ListeningBroker } from "../support/doubles/listening-broker";
import { gatewayNode } from "../support/drivers/flow-runner";
import { NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { type OwnRoute, ownRoutes } from "../support/drivers/own-routes";
import { assertNoSecrets } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const password = "test-password";
/** Of the password above. */
const passwordHash = "$2b$04$2NuBMj7sb5JblWtIFjszAuYOT2KwGOdU6MUCF7UyYjZvaKBavFRh.";
const users = [
    { username: "admin", password: passwordHash, permissions: "*" },
    { username: "reader", password: passwordHash, permissions: "read" },
    { username: "nobody", password: passwordHash, permissions: [] },
];

const hostileIds = [
    "gateway",
    "other",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%5c..%5cwindows",
    "%00",
    "%ff",
    "%F0%9F%92%A9",
    "x".repeat(10_000),
];

const hostileBodies: readonly (readonly [name: string, type: string, body: string])[] = [
    ["nothing", "application/json", ""],
    ["not JSON", "application/json", "{bad"],
    ["null", "application/json", "null"],
    ["an array", "application/json", "[1,2]"],
    ["a number", "application/json", "17"],
    ["nesting", "application/json", `${"[".repeat(50_000)}${"]".repeat(50_000)}`],
    ["__proto__", "application/json", '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'],
    [
        "wrong types",
        "application/json",
        '{"settings":{"host":{"a":1},"port":[],"orgId":1e999},"token":{},"deviceId":[],"typeId":null,"connect":"yes"}',
    ],
    ["another type", "text/plain", "x".repeat(1000)],
    ["a form", "application/x-www-form-urlencoded", "a[b][c]=1&__proto__[x]=2"],
    ["6 MB", "application/json", JSON.stringify({ token: "x".repeat(6_000_000) })],
];

describe("the admin endpoints of the package", () => {
    const routes = ownRoutes();

    it("every admin endpoint checks a permission of this package first", () => {
        assert.ok(routes.length >= 10);
        for (const { method, path: route, permission } of routes) {
            assert.match(String(permission), /^gateway-config\.(read|write)$/, `${method} ${route}`);
        }
    });

    for (const [version, module] of Object.entries(nodeRedModules)) {
        describe(`in ${version} with users`, () => {
            const tokens = new Map<string, string>();
            let broker: ListeningBroker;
            let nodeRed: NodeRedProcess;

            before(async function () {
                this.timeout(90_000);
                broker = await ListeningBroker.start();
                nodeRed = await NodeRedProcess.start(module, { settings: { adminAuth: { type: "credentials", users } } });
                for (const { username } of users) tokens.set(username, await nodeRed.logIn(username, password));
                await nodeRed.logIn("admin", password);
                const event = { id: "event", type: "device-event-out", gateway: "gateway", z: "tab", x: 0, y: 0, wires: [] };
                await nodeRed.deploy([{ id: "tab", type: "tab" }, gatewayNode(broker.port, { outbox: "disk" }), event]);
                await waitFor(() => broker.count("subscribe") > 0, "the gateway to be online");
            });

            after(async () => {
                await nodeRed?.stop();
                await broker?.stop();
            });

            async function ask(
                { method, path: route }: Pick<OwnRoute, "method" | "path">,
                choice: { user?: string; id?: string; action?: string; type?: string; body?: string } = {},
            ): Promise<{ status: number; text: string }> {
                const { user, id = "gateway", action = "reconnect", type = "application/json" } = choice;
                const url = `${nodeRed.url}${route.slice(1).replace(":id", id).replace(":action", action)}`;
                const hasBody = method !== "get" && method !== "head";
                const response = await fetch(url, {
                    method: method.toUpperCase(),
                    headers: { "content-type": type, ...(user && { authorization: `Bearer ${tokens.get(user)}` }) },
                    ...(hasBody && { body: choice.body ?? "{}" }),
                });
                const text = await response.text();
                assertNoSecrets([[`the answer of ${url.slice(0, 200)}`, text]]);
                return { status: response.status, text };
            }

            it("admin endpoints are closed to users without login or permission", async () => {
                for (const route of routes) {
                    for (const user of [undefined, "nobody"]) {
                        const { status, text } = await ask(route, user === undefined ? {} : { user });
                        assert.equal(status, 401, `${route.method} ${route.path} ${user}`);
                        assert.doesNotMatch(text, /gw1/);
                    }
                }
            });

            it("admin endpoints let a reader only read", async () => {
                for (const route of routes) {
                    const { status } = await ask(route, { user: "reader" });
                    assert.equal(status === 401, route.permission === "gateway-config.write", `${route.method} ${route.path}: ${status}`);
                }
            });

            it("admin endpoints answer any id, action and method without an internal error", async function () {
                this.timeout(60_000);
                for (const route of routes) {
                    for (const id of hostileIds) assertOrderly(route, id, await ask(route, { user: "admin", id }));
                    for (const action of hostileIds.slice(1)) {
                        if (route.path.includes(":action"))
                            assertOrderly(route, action, await ask(route, { user: "admin", action }), [404, 400, 413, 431]);
                    }
                    for (const method of ["put", "patch", "delete", "head", "options"]) {
                        assertOrderly(route, method, await ask({ ...route, method }, { user: "admin" }));
                    }
                }
            });

            it("admin endpoints answer any body without an internal error", async function () {
                this.timeout(60_000);
                for (const route of routes.filter(({ method }) => method !== "get")) {
                    for (const [name, type, body] of hostileBodies) {
                        assertOrderly(route, name, await ask(route, { user: "admin", type, body }));
                    }
                }
                assert.ok(nodeRed.isRunning);
            });

            it("outbox files are readable by their owner only", () => {
                if (process.platform === "win32") return;
                const directory = path.join(nodeRed.userDir, "wiotp-gateway");
                assert.equal(statSync(directory).mode & 0o777, 0o700);
                const names = readdirSync(directory);
                assert.ok(names.includes("gw+org+gw+gw1.sqlite") && names.includes("gw+org+gw+gw1.sqlite-wal"), names.join());
                for (const name of names) assert.equal(statSync(path.join(directory, name)).mode & 0o777, 0o600, name);
            });

            /** An answer that is neither an error of the server nor reveals anything about it. */
            function assertOrderly(route: OwnRoute, what: string, answer: { status: number; text: string }, wanted?: number[]): void {
                const answered = `${route.method} ${route.path} with ${what.slice(0, 40)}: ${answer.status} ${answer.text.slice(0, 200)}`;
                assert.ok(wanted ? wanted.includes(answer.status) : answer.status < 500, answered);
                assert.doesNotMatch(answer.text, /polluted|root:x/, answered);
                // What cannot even be parsed is answered by Node-RED's server, with a page.
                if (!answer.text.startsWith("<!DOCTYPE html>")) assert.doesNotMatch(answer.text, /node_modules|at .*\.js:\d+/, answered);
            }
        });
    }
});
