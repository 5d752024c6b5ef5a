import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import { layoutFaults } from "../support/drivers/canvas";
import { EditorSuite } from "../support/drivers/editor-suite";
import { ExampleRun, ExampleServer, exampleNames } from "../support/drivers/example-run";
import { nodeRedModules } from "../support/drivers/node-red-process";
import { requireRecord } from "../support/records";
import { waitFor } from "../support/wait-for";

/** The example's name by its number. */
const named = (number: number): string => exampleNames[number - 1] ?? "";

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`the examples in ${version}`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(() => ExampleServer.start(module));
        // What the examples do does not depend on the version: in the older one, those that bring each of the nodes and each kind of import.
        const numbers = module === "node-red" ? exampleNames.map((_, index) => index + 1) : [1, 3, 5, 6, 12];
        let application: MqttClient | undefined;
        let run: ExampleRun;

        afterEach(async () => {
            await application?.endAsync();
            application = undefined;
        });

        /** Defines a test of an example; whatever statuses it shows at the end, nothing may lie on anything else. */
        function test(number: number, what: string, body: () => Promise<void>): void {
            if (!numbers.includes(number)) return;
            suite.test(`${named(number)}: ${what}`, async () => {
                await body();
                assert.deepEqual(await layoutFaults(run.editor), []);
            });
        }

        /** Imports an example, deploys it, and checks that it tells the user what to look at. */
        async function start(number: number): Promise<void> {
            run = await ExampleRun.import(suite, named(number));
            await run.editor.node(run.id("comment")).waitFor();
            const before = suite.server.nodeRed.log.length;
            await run.editor.deploy();
            if (!run.has("mqtt in")) return;
            await run.shows("mqtt in", /^connected$/);
            // By default there is no second attempt for 15 seconds, and core nodes drop what they are given meanwhile.
            assert.doesNotMatch(
                suite.server.nodeRed.log.slice(before),
                /Connection failed/,
                "the application connects at the first attempt",
            );
        }

        /** Everything that an application of our own receives on the simulator. */
        async function received(filter: string): Promise<{ topic: string; payload: Record<string, unknown> }[]> {
            const messages: { topic: string; payload: Record<string, unknown> }[] = [];
            application = await connectAsync({ host: "127.0.0.1", port: suite.server.port, clientId: "a:demo:test" });
            application.on("message", (topic, payload) => {
                messages.push({ topic, payload: requireRecord(JSON.parse(payload.toString())) });
            });
            await application.subscribeAsync(filter, { qos: 1 });
            return messages;
        }

        /** The devices that the simulated platform knows. */
        async function devices(): Promise<string[]> {
            const listed = await suite.server.simulator("/sim/devices");
            const found = JSON.stringify(listed).match(/"deviceId":"[^"]+"/g) ?? [];
            return found.map((entry) => entry.slice(12, -1));
        }

        /** Waits until every device has answered a request; their outcomes. */
        async function outcomes(action: string): Promise<string[]> {
            return waitFor(async () => {
                const { results } = requireRecord(await suite.server.simulator("/api/v0002/mgmt/requests?org=demo"));
                const requests = Array.isArray(results) ? results.map(requireRecord) : [];
                const request = requests.find((entry) => entry.action === action && entry.complete === true);
                return Array.isArray(request?.devices) ? request.devices.map((device) => String(requireRecord(device).status)) : undefined;
            }, `the end of ${action}`);
        }

        test(1, "the event arrives in the debug sidebar and at any application", async () => {
            await start(1);
            await run.shows("device-event-out", /^connected$/);
            await run.debugs(/pressure/);
            const events = await received("iot-2/type/pump/id/pump-1/evt/status/fmt/json");
            await run.press("every 5 seconds");
            const event = await waitFor(() => events[0], "the event");
            assert.equal(event.topic, "iot-2/type/pump/id/pump-1/evt/status/fmt/json");
            assert.equal(event.payload.running, true);
        });

        test(2, "twenty sensors arrive, thirty after a click", async () => {
            await start(2);
            await run.shows("received so far", /events of 20 devices$/);
            await run.press("add 10 devices");
            await run.shows("received so far", /events of 30 devices$/);
            assert.equal((await devices()).filter((id) => /^(thermo|hygro)meter-\d+$/.test(id)).length, 30);
        });

        test(3, "the pump obeys and reports its new state", async () => {
            await start(3);
            await run.shows("device-command-in", /^connected$/);
            await run.press("start");
            await run.shows("state received", /running: true, speed: 1450/);
            await run.press("stop");
            await run.shows("state received", /running: false, speed: 0/);
            await run.debugs(/"stop"/);
        });

        test(9, "events and commands travel on topics of the user's own", async () => {
            await start(9);
            await run.shows("device-event-out", /^connected$/);
            await run.shows("device-command-in", /^connected$/);
            await run.shows("event received", /pressure/);
            await run.press("start pump-1");
            await run.shows("command received", /speed/);
        });

        test(4, "a cut line costs no event, and the status counts those that wait", async () => {
            await start(4);
            await run.shows("received", /^last [2-9]\d*, gaps 0$/);
            await run.press("cut");
            await run.shows("link is down", /^true$/);
            assert.doesNotMatch(await run.shows("device-event-out", /, waiting: \d+\+?$/), /^connected/);
            const cutAt = Number(await run.shows("last safe event", /^\d+$/));
            await run.press("restore");
            await run.shows("link is down", /^false$/);
            await run.shows("device-event-out", /^connected$/);
            await waitFor(async () => {
                const [, last, gaps] = /^last (\d+), gaps (\d+)$/.exec(await run.shows("received", /^last/)) ?? [];
                assert.equal(gaps, "0");
                return Number(last) > cutAt;
            }, "the events of the time without a line");
        });

        test(5, "refused devices show the reason, the code and no event", async () => {
            await start(5);
            await run.shows("rule set", /^177$/);
            await run.press("accepted");
            await run.shows("event received", /\/pump-1\//);
            await run.press("not authorised");
            await run.shows("notification", /^180$/);
            await run.shows("error", /^GW_REFUSED$/);
            await run.press("cannot be created");
            await run.shows("notification", /^177$/);
            await run.shows("device-event-out", /^devices held: 2$/);
            await run.press("bad id");
            await run.shows("error", /^GW_INVALID_ID$/);
            await run.debugs(/GW_INVALID_ID/);
            assert.match(await run.editor.statusText(run.id("event received")), /\/pump-1\//);
        });

        test(6, "reboot, download and update end well", async () => {
            await start(6);
            await run.shows("dm-responder", /^managed: 1$/);
            for (const [button, action] of [
                ["reboot", "device/reboot"],
                ["download firmware", "firmware/download"],
                ["update firmware", "firmware/update"],
            ] as const) {
                await run.press(button);
                await run.debugs(new RegExp(action));
                assert.deepEqual(await outcomes(action), ["succeeded"], action);
            }
        });

        test(7, "four registers become one reading with a time", async () => {
            await start(7);
            await run.debugs(/voltage/);
            const readings = await received("iot-2/type/meter/id/meter-1/evt/reading/fmt/json");
            await run.press("four registers");
            const { payload } = await waitFor(() => readings[0], "the reading");
            assert.deepEqual(Object.keys(payload).sort(), ["current", "energy", "timestamp", "voltage"]);
            assert.ok(Number(payload.voltage) >= 230 && Number(payload.voltage) < 232);
            assert.match(String(payload.timestamp), /^\d{4}-\d\d-\d\dT/);
        });

        test(8, "four of five meters get the new firmware", async () => {
            await start(8);
            await run.shows("dm-responder", /^managed: 5$/);
            for (const [button, action] of [
                ["download to all", "firmware/download"],
                ["install on all", "firmware/update"],
            ] as const) {
                await run.press(button);
                const states = await outcomes(action);
                assert.equal(states.filter((state) => state === "succeeded").length, 4, `${action}: ${states}`);
                await run.press("how far is it?");
                await run.shows("roll-out", new RegExp(`^${action.slice(9)}: 4 of 5 succeeded$`));
            }
        });

        test(10, "an alarm overtakes the readings that wait", async () => {
            await start(10);
            await run.shows("readings received", /^\d+ readings$/);
            await run.press("alarm");
            await run.shows("alarm received", /^overtook \d+ readings$/);
            await run.press("cut");
            await run.shows("link is down", /^true$/);
            await run.shows("readings: normal", /, waiting: [2-9]\d\+?$/);
            await run.press("alarm");
            await run.shows("alarms: high", /, waiting: \d+\+? \(high: 1\)$/);
            await run.press("restore");
            await run.shows("alarm received", /^overtook [2-9]\d+ readings$/);
            await run.shows("readings: normal", /^connected$/);
        });

        test(11, "readings that expired come back, are sent again, and none is missing", async () => {
            await start(11);
            await run.shows("received", /^last [2-9]\d*, late 0, missing 0$/);
            await run.press("cut");
            await run.shows("link is down", /^true$/);
            await run.shows("why", /^GW_EXPIRED$/);
            await run.shows("late readings", /, waiting: \d+\+?$/);
            await run.press("restore");
            await run.shows("link is down", /^false$/);
            await run.shows("received", /^last \d+, late [1-9]\d*, missing 0$/);
        });

        for (const number of [12, 13]) {
            test(number, "does nothing until it is enabled, then says which setting is missing", async () => {
                run = await ExampleRun.import(suite, named(number));
                await run.editor.deploy();
                assert.doesNotMatch(JSON.stringify(await suite.server.nodeRed.flows()), /"(token|password|credentials)"/);
                assert.equal(await run.editor.statusText(run.id("device-event-out")), "", "a disabled flow is still");
                await run.editor.enableFlow(run.id("tab"));
                await run.editor.deploy();
                // An example that sends an event by itself shows the code of its failure a moment later.
                await run.shows("device-event-out", /^(invalid settings|GW_CONFIG)$/);
                await run.shows("error", /^GW_CONFIG$/);
                await run.debugs(/GW_CONFIG\]: \w+ refers to the environment/);
            });
        }
    });
}
