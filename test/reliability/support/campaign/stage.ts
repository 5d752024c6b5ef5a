import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ErrorCode } from "../../../../src/errors";
import { type Credential, TestAuthority } from "../../../support/doubles/certificates";
import { FaultyLine } from "../../../support/doubles/faulty-line";
import { Mosquitto, passwordFile } from "../../../support/drivers/mosquitto";
import { SmallDisk } from "../../../support/drivers/small-disk";
import { secretToken } from "../../../support/secrets";
import { waitFor } from "../../../support/wait-for";
import { LoadedNodeRed } from "../loaded-node-red";
import { RecordingProxy } from "../recording-proxy";
import { Application } from "./application";
import { Surroundings } from "./surroundings";

const applicationAccount = { user: "application", password: "application" };

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
    readonly recorder: RecordingProxy;
    readonly line: FaultyLine;
    readonly nodeRed: LoadedNodeRed;
    readonly application: Application;
    readonly surroundings: Surroundings;
    readonly disk: SmallDisk | undefined;
    readonly certificates: { readonly right: Credential; readonly wrong: Credential };
}

/** Everything a fault can befall: Node-RED under load, a line, a recorder that ends TLS, Mosquitto, and an application behind it. */
export class Stage {
    readonly broker: Mosquitto;
    readonly recorder: RecordingProxy;
    readonly line: FaultyLine;
    readonly nodeRed: LoadedNodeRed;
    readonly application: Application;
    readonly surroundings: Surroundings;
    readonly #disk: SmallDisk | undefined;
    readonly #certificates: Parts["certificates"];
    #tokens = 1;
    #touched = 0;

    private constructor(
        { broker, recorder, line, nodeRed, application, surroundings, disk, certificates }: Parts,
        private readonly cleanUp: CleanUp,
    ) {
        this.broker = broker;
        this.recorder = recorder;
        this.line = line;
        this.nodeRed = nodeRed;
        this.application = application;
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
        const recorder = await RecordingProxy.start(() => broker.port, certificates.right);
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
        const application = await Application.start(broker.port, applicationAccount.user, applicationAccount.password);
        cleanUp.add(() => application.end());
        return new Stage({ broker, recorder, line, nodeRed, application, surroundings, disk, certificates }, cleanUp);
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
        return this.nodeRed.flows(`${this.#touched}`, token);
    }

    end(): Promise<void> {
        return this.cleanUp.run();
    }
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
    return passwordFile({ "use-token-auth": token, [applicationAccount.user]: applicationAccount.password });
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
