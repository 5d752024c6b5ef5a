import type { SeededRandom } from "../../../support/seeded-random";
import type { Sign, Stage } from "./stage";

/** What a fault works with. */
export interface Scene {
    readonly stage: Stage;
    readonly random: SeededRandom;
    /** Waits until the fault shows as its sign says. */
    shown(): Promise<void>;
    /** Waits until some more events were reported done, a number of the schedule. */
    someDone(): Promise<void>;
}

/** Something that befalls a gateway under load, and how it must show. */
export interface Fault {
    /** As text, for the table. */
    readonly kind: string;
    /** Absent when nothing is down: then no error may be raised. */
    readonly sign?: Sign;
    /** Whether the broker may lose what it has taken over and not passed on. */
    readonly killsBroker?: boolean;
    /** Whether nodes are restarted: the outcome of the messages they were handling is not reported then. */
    readonly restartsNodes?: boolean;
    /** Whether the connection must stay. */
    readonly keepsConnection?: boolean;
    /** Whether the platform, as the simulator plays it, stands in the place of the broker. */
    readonly isOnPlatform?: boolean;
    /** Needs a disk that can be spoiled. */
    readonly needsDisk?: boolean;
    /** Causes it under load and ends it when it has shown; the gateway may still be recovering then. */
    run(scene: Scene): Promise<void>;
}

/** One that broke several times within a minute may be taken for two clients of one name, or for the work of something that was sent. */
const lost: Sign = {
    status: /^network error|^connection refused|^client id in use|^finding the cause/,
    codes: ["GW_NETWORK", "GW_TAKEN_OVER"],
};
const stalled: Sign = { status: /^connection stalled/, codes: ["GW_STALLED"] };
const tenDaysMs = 10 * 86_400_000;

/** On a line that breaks and refuses new connections. */
async function withoutConnection({ stage }: Scene, meanwhile: () => Promise<void>): Promise<void> {
    stage.line.refuse();
    stage.line.reset();
    await stage.shown({ codes: lost.codes });
    await meanwhile();
    await stage.line.accept();
}

const brokerKilled = (forgetsSessions: boolean): Fault => ({
    kind: `broker killed, ${forgetsSessions ? "without" : "with"} persistence`,
    sign: lost,
    killsBroker: true,
    run: ({ stage, shown, someDone }) => stage.killBroker(forgetsSessions, () => shown().then(someDone)),
});

const linkFaults: readonly Fault[] = [
    {
        kind: "link reset",
        sign: lost,
        async run({ stage, shown }) {
            stage.line.reset();
            await shown();
        },
    },
    {
        kind: "black hole",
        sign: stalled,
        async run({ stage, shown }) {
            stage.line.blackHole();
            await shown();
            stage.line.heal();
        },
    },
    {
        kind: "half-open link",
        sign: stalled,
        async run({ stage, shown }) {
            stage.line.halfOpen();
            await shown();
            stage.line.heal();
        },
    },
    {
        kind: "200 ms and 5 % stalls",
        keepsConnection: true,
        async run({ stage, random }) {
            stage.line.delay(200, { share: 0.05, durationMs: 1000, random: () => random.next() });
            await stage.nodeRed.moreDone(1500);
            stage.line.heal();
        },
    },
];

const serverFaults: readonly Fault[] = [
    brokerKilled(false),
    brokerKilled(true),
    {
        kind: "name not found",
        sign: { status: /^host not found/, codes: ["GW_NETWORK"], text: /could not be looked up/ },
        async run({ stage, shown, someDone }) {
            stage.surroundings.isHostKnown = false;
            stage.line.reset();
            await shown();
            await someDone();
            stage.surroundings.isHostKnown = true;
        },
    },
    {
        kind: "token rotated",
        sign: { status: /^not authorised/, codes: ["GW_AUTH"] },
        restartsNodes: true,
        async run({ stage, shown, someDone }) {
            const token = stage.rotateToken();
            stage.line.reset();
            await shown();
            await someDone();
            await stage.nodeRed.deploy(stage.changedFlows(token), "nodes");
        },
    },
    {
        kind: "certificate swapped",
        sign: { status: /^issuer not trusted/, codes: ["GW_TLS"] },
        async run({ stage, shown, someDone }) {
            stage.hasWrongCertificate = true;
            stage.line.reset();
            await shown();
            await someDone();
            stage.hasWrongCertificate = false;
        },
    },
];

const platformFaults: readonly Fault[] = [
    {
        kind: "front end restarted",
        sign: lost,
        isOnPlatform: true,
        async run({ stage, random, shown }) {
            stage.platform.restartFrontEnd({ downMs: random.integer(0, 3_000) });
            await shown();
        },
    },
    {
        kind: "moved to another front end",
        sign: lost,
        isOnPlatform: true,
        async run({ stage, shown }) {
            if (!stage.platform.moveToOtherFrontEnd(stage.clientId)) throw new Error("The gateway was not connected");
            await shown();
        },
    },
];

async function restart({ nodeRed }: Stage, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await nodeRed.end(signal);
    await nodeRed.start();
}

/** With a backlog on disk, and events on their way there. */
const offline = (kind: string, action: (stage: Stage) => Promise<void>): Fault => ({
    kind: `${kind} while offline`,
    sign: lost,
    restartsNodes: true,
    run: (scene) =>
        withoutConnection(scene, async () => {
            await scene.someDone();
            await action(scene.stage);
            await scene.someDone();
        }),
});

const deployed = (type: "full" | "flows" | "nodes"): Fault => ({
    kind: `deploy of ${type === "full" ? "everything" : `changed ${type}`}`,
    restartsNodes: true,
    keepsConnection: true,
    run: ({ stage }) => stage.nodeRed.deploy(stage.changedFlows(), type),
});

const clockSet = (byMs: number): Fault => ({
    kind: `clock set ten days ${byMs > 0 ? "ahead" : "back"}`,
    sign: lost,
    run: (scene) =>
        withoutConnection(scene, async () => {
            await scene.someDone();
            scene.stage.surroundings.moveClock(byMs);
            // Long enough for the search for expired events to come round.
            await scene.stage.nodeRed.moreDone(800);
        }),
});

const diskFaults: readonly Fault[] = [
    {
        kind: "disk full",
        // Events go on finding the room that the backlog of an earlier fault, of up to a minute and a half, has freed within the file.
        sign: { status: /^outbox file error/, codes: ["GW_STORE"], text: /full/, withinMs: 180_000 },
        needsDisk: true,
        run: (scene) =>
            withoutConnection(scene, async () => {
                await scene.someDone();
                scene.stage.disk.fill();
                await scene.shown();
                scene.stage.disk.empty();
                await scene.someDone();
            }),
    },
    {
        kind: "disk read-only",
        sign: { status: /^outbox file error/, codes: ["GW_STORE"], text: /read-?only/i },
        needsDisk: true,
        restartsNodes: true,
        async run(scene) {
            const { disk, nodeRed } = scene.stage;
            // What is in a file that cannot be opened is sent after newer events: then there is no order to check.
            nodeRed.pause(true);
            await nodeRed.nothingQueued();
            await nodeRed.end("SIGTERM");
            nodeRed.pause(false);
            disk.isReadOnly = true;
            await nodeRed.start();
            await scene.shown();
            await scene.someDone();
            await withoutConnection(scene, async () => {
                disk.isReadOnly = false;
                await scene.someDone();
            });
        },
    },
];

/** Every kind of fault. */
export const faults: readonly Fault[] = [
    ...linkFaults,
    ...serverFaults,
    ...platformFaults,
    { kind: "Node-RED killed", restartsNodes: true, run: ({ stage }) => restart(stage, "SIGKILL") },
    { kind: "Node-RED stopped", restartsNodes: true, run: ({ stage }) => restart(stage, "SIGTERM") },
    offline("Node-RED killed", (stage) => restart(stage, "SIGKILL")),
    offline("Node-RED stopped", (stage) => restart(stage, "SIGTERM")),
    offline("deploy of everything", (stage) => stage.nodeRed.deploy(stage.changedFlows())),
    deployed("full"),
    deployed("flows"),
    deployed("nodes"),
    clockSet(tenDaysMs),
    clockSet(-tenDaysMs),
    ...diskFaults,
];
