import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import helper from "node-red-node-test-helper";
import { isSqliteAvailable } from "../../src/outbox/store/open-store";
import { deploy, eventNode, type FlowNode, gatewayNode, Inbox, load, node, withRuntime } from "../support/drivers/flow-runner";
import { codeOf, memberOf } from "../support/records";

/** Nothing listens here: the gateway has an error at once. */
const deadPort = 1;
const tabs = ["tab", "tab2"];
const eventIds = tabs.flatMap((tab) => Array.from({ length: 10 }, (_, index) => `${tab}-event${index}`));

/** Ten nodes on each of two tabs, and on each tab three Catch nodes and a Status node. */
function flow(): FlowNode[] {
    return [
        { id: "tab2", type: "tab", label: "second" },
        gatewayNode(deadPort, { outbox: "disk" }),
        ...eventIds.map((id) => eventNode({ id, z: id.replace(/-.*/, ""), ttl: "5" })),
        { id: "complete", type: "complete", scope: ["tab-event0"], wires: [["completed"]] },
        { id: "completed", type: "helper" },
        ...tabs.flatMap((tab) => [
            { id: `${tab}-all`, type: "catch", z: tab, scope: null, wires: [[`${tab}-caught`]] },
            { id: `${tab}-scoped`, type: "catch", z: tab, scope: [`${tab}-event1`, `${tab}-event2`], wires: [[`${tab}-caught-scoped`]] },
            { id: `${tab}-uncaught`, type: "catch", z: tab, scope: null, uncaught: true, wires: [[`${tab}-caught-uncaught`]] },
            { id: `${tab}-status`, type: "status", z: tab, scope: null, wires: [[`${tab}-statuses`]] },
            ...["caught", "caught-scoped", "caught-uncaught", "statuses"].map((id) => ({ id: `${tab}-${id}`, type: "helper", z: tab })),
        ]),
    ];
}

describe("errors of a gateway with twenty nodes on two tabs", () => {
    withRuntime();

    const errorsOf = (inbox: Inbox, code: string) =>
        inbox.messages.filter((message) => codeOf(message) === code).map((message) => memberOf(memberOf(message.error, "source"), "id"));

    /** The test helper registers a core type for each of its nodes that it loads, which fails for the second; a deploy does not. */
    async function start(): Promise<void> {
        await load(
            flow().filter(({ id, type }) =>
                type !== "catch" && type !== "status" ? type !== "device-event-out" : id === "tab-all" || id === "tab-status",
            ),
        );
        await deploy(flow());
    }

    it("an error of the gateway reaches each Catch node once", async () => {
        await start();
        const all = tabs.map((tab) => new Inbox(`${tab}-caught`));
        const scoped = tabs.map((tab) => new Inbox(`${tab}-caught-scoped`));
        const uncaught = tabs.map((tab) => new Inbox(`${tab}-caught-uncaught`));
        const statuses = tabs.map((tab) => new Inbox(`${tab}-statuses`));
        for (const inbox of [...all, ...scoped]) await inbox.next((message) => codeOf(message) === "GW_NETWORK");
        for (const inbox of [...all, ...scoped]) assert.deepEqual(errorsOf(inbox, "GW_NETWORK"), ["gateway"]);
        for (const inbox of uncaught) assert.deepEqual(inbox.messages, []);
        const ofGateway = ({ status }: Record<string, unknown>) => memberOf(memberOf(status, "source"), "id") === "gateway";
        for (const inbox of statuses) {
            await inbox.next(ofGateway);
            const texts = inbox.messages.filter(ofGateway).map(({ status }) => memberOf(status, "text"));
            assert.ok(
                texts.every((text, index) => text !== texts[index - 1]),
                texts.join(),
            );
        }
    });

    // An event is done before it is delivered only where there is a disk.
    if (isSqliteAvailable()) {
        it("an error about an event whose node is gone reaches each Catch node once", async () => {
            const userDir = mkdtempSync(path.join(tmpdir(), "gateway-errors-"));
            helper.settings({ userDir });
            try {
                await start();
                const completed = new Inbox("completed");
                node("tab-event0").receive({ typeId: "pump", deviceId: "p1", payload: 1, _msgid: "m1" });
                await completed.next();
                await deploy(flow().filter(({ id }) => id !== "tab-event0"));
                const inboxes = tabs.flatMap((tab) => ["caught", "caught-scoped"].map((id) => new Inbox(`${tab}-${id}`)));
                for (const inbox of inboxes) {
                    const message = await inbox.next((each) => codeOf(each) === "GW_EXPIRED");
                    const { _msgid, typeId, deviceId, eventId, undelivered, payload, format, qos, priority, time } = message;
                    assert.deepEqual(
                        { _msgid, typeId, deviceId, eventId, undelivered, payload, format, qos, priority },
                        {
                            _msgid: "m1",
                            typeId: "pump",
                            deviceId: "p1",
                            eventId: "status",
                            undelivered: true,
                            payload: 1,
                            format: "json",
                            qos: 1,
                            priority: "normal",
                        },
                    );
                    assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
                }
                for (const inbox of inboxes) assert.deepEqual(errorsOf(inbox, "GW_EXPIRED"), ["gateway"]);
            } finally {
                await helper.unload();
                helper.settings({});
                rmSync(userDir, { recursive: true, force: true });
            }
        });
    }
});
