import assert from "node:assert/strict";
import { nextNotification, nextNotificationText, TestPlatform } from "./support/platform";
import type { RawClient } from "./support/raw-client";

const event = (id: string): string => `iot-2/type/autotype/id/${id}/evt/e/fmt/json`;
const commands = (id: string): string => `iot-2/type/autotype/id/${id}/cmd/+/fmt/+`;

describe("resource groups", () => {
    let platform: TestPlatform;
    let gateway: RawClient;
    afterEach(() => platform.close());

    async function start(role: "privileged" | "standard", joinsGroup = true): Promise<void> {
        platform = await TestPlatform.start({ registration: { delayMs: 0, joinsGroup, rules: [{ devices: "*/deny*", rc: 180 }] } });
        const { registry } = platform.simulator.organisation("org");
        registry.register("autotype", "member");
        registry.register("autotype", "foreign");
        registry.setRights("mygw", "gw1", { role, group: new Set(["autotype/member"]) });
        gateway = await platform.gateway();
    }

    function notInGroup(request: string, topic: string): string {
        const Message = "The operation is not authorized: Device not in group:  ";
        return JSON.stringify({ Request: request, Time: "T", Topic: topic, Client: "g:org:mygw:gw1", RC: 180, Message });
    }

    for (const role of ["privileged", "standard"] as const) {
        it(`lets a ${role} gateway publish for members and itself`, async () => {
            await start(role);
            await gateway.publish(event("member"));
            await gateway.publish("iot-2/type/mygw/id/gw1/evt/e/fmt/json");
            assert.deepEqual(await gateway.settle(), []);
        });

        it(`refuses a ${role} gateway the concrete filter of a foreign device every time, without back-off`, async () => {
            await start(role);
            for (const filter of [commands("foreign"), "iotdm-1/type/autotype/id/foreign/#", "iot-2/type/autotype/id/foreign/notify"]) {
                for (let round = 0; round < 2; round++) {
                    assert.deepEqual(await gateway.subscribe(filter), [128]);
                    assert.equal(await nextNotificationText(gateway), notInGroup("Subscribe", filter));
                }
            }
            assert.deepEqual(await gateway.settle(), []);
        });

        it(`refuses a ${role} gateway both of two filters when one is foreign, with one notification`, async () => {
            await start(role);
            assert.deepEqual(await gateway.subscribe([commands("member"), commands("foreign")]), [128, 128]);
            assert.equal((await nextNotification(gateway)).Topic, commands("foreign"));
            assert.deepEqual(await gateway.settle(), []);
        });

        it(`delivers only members and itself through the wildcard filters of a ${role} gateway`, async () => {
            await start(role);
            assert.deepEqual(await gateway.subscribe("iot-2/type/+/id/+/cmd/+/fmt/+"), [1]);
            assert.deepEqual(await gateway.subscribe("iotdm-1/#"), [1]);
            for (const device of ["autotype/id/member", "autotype/id/foreign", "mygw/id/gw1"]) {
                platform.simulator.publish("org", `iot-2/type/${device}/cmd/c/fmt/json`, "{}", 0);
                platform.simulator.publish("org", `iotdm-1/type/${device}/observe`, "{}", 0);
            }
            const topics = (await gateway.settle()).flatMap((packet) => (packet.cmd === "publish" ? packet.topic : []));
            assert.deepEqual(topics, [
                "iot-2/type/autotype/id/member/cmd/c/fmt/json",
                "iotdm-1/type/autotype/id/member/observe",
                "iot-2/type/mygw/id/gw1/cmd/c/fmt/json",
                "iotdm-1/type/mygw/id/gw1/observe",
            ]);
        });
    }

    it("refuses a standard gateway every publish for a foreign device, with a notification each time and no stray packet", async () => {
        await start("standard");
        for (let round = 0; round < 2; round++) {
            await gateway.publish(event("foreign"));
            assert.equal(await nextNotificationText(gateway), notInGroup("Publish", event("foreign")));
        }
        assert.deepEqual(await gateway.settle(), []);
    });

    it("asks the registry for a foreign device of a privileged gateway", async () => {
        await start("privileged");
        await gateway.publish(event("foreign"));
        assert.deepEqual(await gateway.settle(), []);
        await gateway.publish(event("deny1"));
        assert.equal((await nextNotification(gateway)).RC, 180);
    });

    for (const joinsGroup of [true, false]) {
        it(`a device that the gateway creates ${joinsGroup ? "joins its group" : "stays outside its group when so configured"}`, async () => {
            await start("privileged", joinsGroup);
            await gateway.publish(event("created"));
            assert.deepEqual(await gateway.subscribe(commands("created")), [joinsGroup ? 1 : 128]);
        });
    }
});
