import { TestAuthority } from "../support/doubles/certificates";
import { EditorSuite, sharedServer } from "../support/drivers/editor-suite";
import { Mosquitto } from "../support/drivers/mosquitto";
import { nodeRedModules } from "../support/drivers/node-red-process";
import { deployPanelFlow } from "../support/drivers/panel-flow";
import { PanelPage } from "../support/drivers/panel-page";

/** A gateway on a broker with TLS, whose certificate is not verified. */
function secureFlow(port: number): object[] {
    const gateway = {
        platform: "broker",
        host: "localhost",
        port: String(port),
        transport: "tls",
        tls: "tls6",
        orgId: "demo",
        typeId: "gateway",
    };
    const event = { typeId: "pump", typeIdType: "str", deviceId: "p1", deviceIdType: "str", eventId: "status", eventIdType: "str" };
    return [
        { id: "tls6", type: "tls-config", cert: "", key: "", ca: "", verifyservercert: false },
        { id: "g6", type: "gateway-config", name: "Secure", deviceId: "hall-6", outbox: "memory", ...gateway },
        { id: "e6", type: "device-event-out", z: "f1", gateway: "g6", ...event, x: 500, y: 360, wires: [] },
    ];
}

for (const [version, module] of Object.entries(nodeRedModules)) {
    describe(`certificates in the panel in ${version}`, function () {
        this.timeout(180_000);
        const suite = new EditorSuite(() => sharedServer(module));
        let authority: TestAuthority;
        let broker: Mosquitto;

        before(async () => {
            authority = new TestAuthority("Plant CA");
            const { cert, key } = authority.issue({ commonName: "broker", names: ["DNS:localhost"], days: 29 });
            broker = await Mosquitto.start({
                listener: ["certfile {dir}/server.crt", "keyfile {dir}/server.key"],
                files: { "server.crt": cert, "server.key": key },
            });
            await deployPanelFlow(suite.nodeRed, secureFlow(broker.port));
        });

        after(async () => {
            await broker?.stop();
            authority?.remove();
        });

        suite.test("the panel shows how long the server's certificate is valid, and nothing of one without TLS", async () => {
            const panel = await PanelPage.open(await suite.open());
            await panel.choose("Secure", "hall-6");
            await panel.phase("connected");
            await panel
                .fact("certificate")
                .filter({ hasText: /^28 days/ })
                .waitFor();
            await panel.content.locator('[data-fact="certificate"] small').filter({ hasText: "of the server" }).waitFor();
            await panel.choose("Hall 4", "hall-4");
            await panel.fact("certificate").waitFor({ state: "hidden" });
        });
    });
}
