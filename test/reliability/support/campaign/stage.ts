import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ErrorCode } from "../../../../src/errors";
import { type Simulator, startSimulator } from "../../../../src/simulator/simulator";
import { type Credential, TestAuthority } from "../../../support/doubles/certificates";
import { FaultyLine } from "../../../support/doubles/faulty-line";
import { Mosquitto, passwordFile } from "../../../support/drivers/mosquitto";
import { SmallDisk } from "../../../support/drivers/small-disk";
import { secretToken } from "../../../support/secrets";
import { waitFor } from "../../../support/wait-for";
import { LoadedNodeRed, type LoadVariant } from "../loaded-node-red";
import { RecordingProxy } from "../recording-proxy";
import { Application } from "./application";
import { Surroundings } from "./surroundings";

const applicationAccount = { username: "application", password: "application" };
/** How the platform registers devices here; the limits are the real ones. */
const registryMs = 20;

/** The load on each server. On the platform more devices publish than may be checked at once. */
const loads: Readonly<Record<ServerName, LoadVariant>> = {
    broker: {},
    platform: { devices: 40, registration: "always" },
};

/** Mosquitto, or the platform as the simulator plays it. */
export type ServerName = "broker" | "platform";

/** How a fault must show: in the status of the nodes, and as an error at a Catch node. */
export interface Sign {
    /** Absent where the status shows something else that is worse. */
    readonly status?: RegExp;
    readonly codes: readonly ErrorCode[];
    /** What the error must say. */
    readonly text?: RegExp;
    /** How long it may take; 90 s by default. */
    readonly withinMs?: number;
}

/** What a stage is made of. */
interface Parts {
    readonly broker: Mosquitto;
    readonly platform: Simulator;
    readonly server: CurrentServer;
    readonly recorder: RecordingProxy;
    readonly line: FaultyLine;
    readonly nodeRed: LoadedNodeRed;
    readonly applications: Readonly<Record<ServerName, Application>>;
    readonly surroundings: Surroundings;
    readonly disk: SmallDisk | undefined;
    readonly certificates: { readonly right: Credential; readonly wrong: Credential };
}

/** Everything a fault can befall: Node-RED under load, a line, a recorder that ends TLS, a server, and an application behind it. */
export class Stage {
    readonly clientId = "g:org1:gw:gw1";
    readonly broker: Mosquitto;
    readonly platform: Simulator;
    readonly recorder: RecordingProxy;
    readonly line: FaultyLine;
    readonly nodeRed: LoadedNodeRed;
    readonly surroundings: Surroundings;
    readonly #server: CurrentServer;
    readonly #applications: Parts["applications"];
    readonly #disk: SmallDisk | undefined;
    readonly #certificates: Parts["certificates"];
    #tokens = 1;
    #touched = 0;

    private constructor(
        { broker, platform, server, recorder, line, nodeRed, applications, surroundings, disk, certificates }: Parts,
        private readonly cleanUp: CleanUp,
    ) {
        this.broker = broker;
        this.platform = platform;
        this.#server = server;
        this.recorder = recorder;
        this.line = line;
        this.nodeRed = nodeRed;
        this.#applications = applications;
        this.surroundings = surroundings;
        this.#disk = disk;
        this.#certificates = certificates;
    }

    /** Sets everything up, with the source still paused; what was begun is ended when something fails. */
    static async start(): Promise<Stage> {
        const cleanUp = new CleanUp();
        try {
            const stage = await Stage.#build(cleanUp);
            await stage.nodeRed.start();
            await waitFor(() => stage.recorder.subscribed >= 2, "the subscriptions of the gateway");
            return stage;
        } catch (error) {
            await cleanUp.run();
            throw error;
        }
    }

    static async #build(cleanUp: CleanUp): Promise<Stage> {
        const directory = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-campaign-"));
        cleanUp.add(() => rmSync(directory, { recursive: true, force: true }));
        const surroundings = new Surroundings(directory);
        const authorityFile = path.join(directory, "ca.crt");
        const certificates = makeCertificates(surroundings.host, authorityFile);
        const broker = await Mosquitto.start({
            persistent: true,
            quiet: true,
            general: ["allow_anonymous false", "password_file {dir}/passwords"],
            files: { passwords: passwords(tokenNumber(1)) },
        });
        cleanUp.add(() => broker.stop());
        const platform = await startSimulator({ port: 0, httpPort: 0, registration: { delayMs: registryMs } });
        cleanUp.add(() => platform.close());
        const server: CurrentServer = { name: "broker" };
        const portOf = (name: ServerName) => ({ broker, platform })[name].port;
        const recorder = await RecordingProxy.start(() => portOf(server.name), certificates.right);
        cleanUp.add(() => recorder.stop());
        const line = await FaultyLine.to(recorder.port);
        cleanUp.add(() => line.close());
        const nodeRed = new LoadedNodeRed({
            gateway: { host: surroundings.host, port: String(line.port), cleanSession: "false", keepAlive: "40" },
            perTick: 2,
            token: tokenNumber(1),
            authorityFile,
            env: surroundings.env,
        });
        cleanUp.add(() => nodeRed.dispose());
        nodeRed.pause(true);
        const disk = SmallDisk.isPossible() ? new SmallDisk(nodeRed.storeDir) : undefined;
        if (disk) cleanUp.add(() => nodeRed.end("SIGKILL").then(() => disk.unmount()));
        const applications = {
            broker: await Application.start({ port: broker.port, clientId: "application", prefix: "c", ...applicationAccount }),
            platform: await Application.start({ port: platform.port, clientId: "a:org1:application", prefix: "p", ...applicationAccount }),
        };
        for (const application of Object.values(applications)) cleanUp.add(() => application.end());
        const parts = { broker, platform, server, recorder, line, nodeRed, applications, surroundings, disk, certificates };
        return new Stage(parts, cleanUp);
    }

    /** The application behind the server of the moment. */
    get application(): Application {
        return this.#applications[this.#server.name];
    }

    /** Puts another server in the place of the present one, at rest. On the platform every device is known afterwards. */
    async useServer(name: ServerName): Promise<void> {
        if (this.#server.name === name) return;
        const { nodeRed, recorder } = this;
        const { subscribed } = recorder;
        this.#server.name = name;
        await nodeRed.deploy(this.changedFlows());
        await waitFor(() => recorder.subscribed >= subscribed + 2, "the subscriptions of the gateway at the other server", 150_000);
        nodeRed.pause(false);
        await nodeRed.moreDone(400);
        nodeRed.pause(true);
        // After the first question everything that was sent is in the outbox, and after the last one everything that was done is noted.
        await nodeRed.load();
        await nodeRed.nothingQueued();
        await nodeRed.load();
        this.forget();
    }

    /** Starts with empty notes again. */
    forget(): void {
        for (const notes of [this.nodeRed.record, this.recorder, this.application]) notes.forget();
    }

    /** The disk of the outbox. */
    get disk(): SmallDisk {
        if (!this.#disk) throw new Error("Only the administrator of a Linux machine can mount a disk for the test");
        return this.#disk;
    }

    /** Waits until the fault shows; without a sign there is nothing to wait for. */
    async shown(sign: Sign | undefined): Promise<void> {
        if (!sign) return;
        const { status, codes, text = /./, withinMs = 90_000 } = sign;
        const { record } = this.nodeRed;
        await waitFor(
            () => {
                record.update();
                const isTold = record.problems.some((problem) => codes.some((code) => code === problem.code) && text.test(problem.text));
                return isTold && (!status || record.statuses.some((shown) => status.test(shown)));
            },
            () =>
                `the status ${status} and one of ${codes.join(", ")} that says ${text}; there were ${JSON.stringify([record.statuses, record.problems])}`,
            withinMs,
        );
    }

    /** Kills the broker and starts it again after `meanwhile`. */
    async killBroker(forgetsSessions: boolean, meanwhile: () => Promise<void>): Promise<void> {
        const { application, broker, line, nodeRed, recorder } = this;
        application.isSending = false;
        nodeRed.record.update();
        application.excuseCommands(new Set(nodeRed.record.commands));
        line.refuse();
        await broker.halt("SIGKILL");
        await meanwhile();
        if (forgetsSessions) broker.forget();
        const { subscribed } = recorder;
        await broker.resume();
        await line.accept();
        // A broker without a session drops what comes before the subscriptions.
        await waitFor(() => recorder.subscribed >= subscribed + 2, "the subscriptions of the gateway", 150_000);
        application.isSending = true;
    }

    /** The platform gets another token; returns it. */
    rotateToken(): string {
        this.#tokens += 1;
        const token = tokenNumber(this.#tokens);
        this.broker.reload({ passwords: passwords(token) });
        return token;
    }

    /** The server identifies itself by a certificate of another authority, or by its own again. */
    set hasWrongCertificate(isWrong: boolean) {
        this.recorder.useCertificate(isWrong ? this.#certificates.wrong : this.#certificates.right);
    }

    /** Flows in which something harmless is different from before. */
    changedFlows(token?: string): object[] {
        this.#touched += 1;
        return this.nodeRed.flows(`${this.#touched}`, token, loads[this.#server.name]);
    }

    end(): Promise<void> {
        return this.cleanUp.run();
    }
}

/** The server behind the recorder. */
interface CurrentServer {
    name: ServerName;
}

/** Ends what was begun, the last first. */
class CleanUp {
    readonly #actions: (() => unknown)[] = [];

    add(action: () => unknown): void {
        this.#actions.unshift(action);
    }

    async run(): Promise<void> {
        for (const action of this.#actions.splice(0)) await action();
    }
}

function tokenNumber(number: number): string {
    return `${secretToken}-${number}`;
}

function passwords(token: string): string {
    return passwordFile({ "use-token-auth": token, [applicationAccount.username]: applicationAccount.password });
}

/** Writes the authority that Node-RED trusts to a file, and makes a certificate of it and one of a stranger. */
function makeCertificates(host: string, authorityFile: string): { right: Credential; wrong: Credential } {
    const authorities = [new TestAuthority("campaign"), new TestAuthority("stranger")] as const;
    const [right, wrong] = authorities;
    writeFileSync(authorityFile, right.cert);
    const request = { commonName: host, names: [`DNS:${host}`] };
    const certificates = { right: right.issue(request), wrong: wrong.issue(request) };
    for (const authority of authorities) authority.remove();
    return certificates;
}
