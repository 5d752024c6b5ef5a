import assert from "node:assert/strict";
import { ManagedPlatform } from "../support/drivers/managed-platform";
import { askPlatform, workingFlow } from "../support/drivers/management-flow";
import { waitFor } from "../support/wait-for";

const devices = Array.from({ length: 1000 }, (_, index) => `m/${index}`);
const updated = devices.slice(0, 300);
const image = { version: "2.0", name: "meter", uri: "https://example.com/meter-2.0.bin", verifier: "abc" };

describe("a thousand managed devices behind one gateway", () => {
    it("a thousand devices answer each mixed request exactly once over repeated requests and lost connections", async function () {
        this.timeout(240_000);
        const platform = await ManagedPlatform.start(
            { registrationLimit: "128", cleanSession: "false" },
            { registration: { maxPending: 200, maxPerConnection: 2000 }, logSize: 0 },
        );
        const { simulator } = platform;
        const { management } = simulator.organisation("org");
        const responder = platform.responder({ manage: true, lifetimeS: 3600, deviceInfo: { model: "meter", fwVersion: "1.0" } });
        const stop = workingFlow(responder);
        try {
            await platform.connect({ subscribed: false });
            await Promise.all(devices.map((device) => platform.event(device)));
            await waitFor(() => responder.counts?.managed === devices.length, "all devices to be managed", 60_000);

            const all = async (action: string, addressed = devices, parameters?: object) => {
                const outcomes = await askPlatform(platform, action, addressed, parameters);
                assert.deepEqual([action, ...outcomes.keys()], [action, "succeeded"]);
            };
            simulator.faults.add({ fault: "repeatRequest", times: 200 });
            const cut = (afterAnswers: number) => {
                const already = platform.published.length;
                return waitFor(() => platform.published.length > already + afterAnswers, "work under way", 60_000).then(() =>
                    simulator.cut(platform.clientId),
                );
            };
            await Promise.all([all("b1/inspect", devices, { depth: "full" }), all("device/reboot"), cut(300)]);
            await Promise.all([all("firmware/download", updated, image), cut(500)]);
            await Promise.all([all("firmware/update", updated), platform.event("m/7")]);

            const answers = new Map<unknown, Set<string>>();
            for (const { suffix, json, payload } of platform.published) {
                if (suffix === "response") answers.set(json.reqId, (answers.get(json.reqId) ?? new Set()).add(payload));
            }
            assert.ok(answers.size >= devices.length * 2 + updated.length * 7, `${answers.size} requests`);
            for (const [reqId, different] of answers) assert.equal(different.size, 1, `request ${String(reqId)} got different answers`);
            assert.equal(new Set(responder.requests.map(({ dm }) => dm.reqId)).size, responder.requests.length, "no request ran twice");
            assert.equal(answers.size, responder.requests.length);
            await waitFor(
                () => updated.every((_, index) => management.device("m", String(index))?.deviceInfo.fwVersion === "2.0"),
                "the new version of every updated device",
                60_000,
            );
            assert.deepEqual(responder.raised, []);
        } finally {
            stop();
            await platform.close();
        }
    });
});
