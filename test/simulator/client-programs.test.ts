import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, connectAsync } from "mqtt";
import { TestPlatform } from "./support/platform";

describe("client programs that are in use", () => {
    let platform: TestPlatform;
    beforeEach(async () => {
        platform = await TestPlatform.start({ token: "s3cret" });
    });
    afterEach(() => platform.close());

    function mosquitto(program: "mosquitto_pub" | "mosquitto_sub", clientId: string, ...args: string[]) {
        const user = ["-u", "use-token-auth", "-P", "s3cret"];
        return spawn(program, ["-h", "127.0.0.1", "-p", String(platform.port), "-i", clientId, ...user, ...args], { stdio: "pipe" });
    }

    it("mosquitto_pub as a gateway and mosquitto_sub as an application understand each other", async () => {
        const subscriber = mosquitto("mosquitto_sub", "a:org:app", "-q", "1", "-C", "3", "-v", "-t", "iot-2/type/+/id/+/evt/+/fmt/+");
        let output = "";
        subscriber.stdout.on("data", (chunk: Buffer) => {
            output += chunk.toString();
        });
        const ended = once(subscriber, "exit");
        await new Promise<void>((resolve) => {
            platform.simulator.observed.onPacket(({ command }) => command === "subscribe" && resolve());
        });
        for (const qos of ["0", "1", "2"]) {
            const publisher = mosquitto(
                "mosquitto_pub",
                "g:org:mygw:gw1",
                "-q",
                qos,
                "-m",
                qos,
                "-t",
                `iot-2/type/s/id/${qos}/evt/e/fmt/text`,
            );
            const [code] = await once(publisher, "exit");
            assert.equal(code, 0);
        }
        assert.deepEqual(await ended, [0, null]);
        assert.deepEqual(
            output.trim().split("\n"),
            [0, 1, 2].map((qos) => `iot-2/type/s/id/${qos}/evt/e/fmt/text ${qos}`),
        );
    });

    it("mosquitto_sub with a wrong token is not authorised", async () => {
        const subscriber = mosquitto("mosquitto_sub", "g:org:mygw:gw1", "-P", "wrong", "-t", "iot-2/mon");
        const [code] = await once(subscriber, "exit");
        assert.equal(code, 5);
    });

    it("MQTT.js receives queued commands of its durable session after a reconnect", async () => {
        const options = { host: "127.0.0.1", port: platform.port, username: "use-token-auth", password: "s3cret", reconnectPeriod: 0 };
        const gateway = await connectAsync({ ...options, clientId: "g:org:mygw:gw1", clean: false });
        await gateway.subscribeAsync("iot-2/type/+/id/+/cmd/+/fmt/+", { qos: 2 });
        await gateway.endAsync();
        const application = await connectAsync({ ...options, clientId: "a:org:app" });
        for (const qos of [0, 1, 2] as const) await application.publishAsync(`iot-2/type/s/id/1/cmd/c${qos}/fmt/json`, "{}", { qos });
        await application.endAsync();
        const received: string[] = [];
        const again = connect({ ...options, clientId: "g:org:mygw:gw1", clean: false });
        await new Promise<void>((resolve) => {
            again.on("message", (topic) => {
                received.push(topic);
                if (received.length === 3) resolve();
            });
        });
        assert.deepEqual(
            received,
            [0, 1, 2].map((qos) => `iot-2/type/s/id/1/cmd/c${qos}/fmt/json`),
        );
        await again.endAsync();
    });

    it("MQTT.js takes the stray packet for an error and stays connected", async () => {
        const gateway = await connectAsync({
            host: "127.0.0.1",
            port: platform.port,
            username: "use-token-auth",
            password: "s3cret",
            clientId: "g:org:mygw:gw1",
            reconnectPeriod: 0,
        });
        platform.simulator.faults.add({ fault: "registration", devices: "*/bad", rc: 177 });
        const failed = new Promise<Error>((resolve) => {
            gateway.once("error", resolve);
        });
        gateway.publish("iot-2/type/s/id/bad/evt/e/fmt/json", "{}", { qos: 1 });
        assert.match((await failed).message, /pingresp/);
        await gateway.publishAsync("iot-2/type/s/id/good/evt/e/fmt/json", "{}", { qos: 1 });
        await gateway.endAsync(true);
    });
});
