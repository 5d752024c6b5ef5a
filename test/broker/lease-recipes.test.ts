import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gatewayNode } from "../support/drivers/flow-runner";
import { Mosquitto } from "../support/drivers/mosquitto";
import { NodeRedProcess } from "../support/drivers/node-red-process";
import { waitFor } from "../support/wait-for";

const page = readFileSync("docs/high-availability.md", "utf8");

/** The code of the page in a language, in order. */
function codeOf(language: string): string[] {
    return [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, code = ""]) => code);
}

/** A `kubectl` that keeps the lease in a file: what it is asked for is done as a whole, or not at all. Of shell only, as it is called often. */
const kubectl = `#!/bin/sh
until mkdir "$LEASE_STORE.lock" 2> /dev/null; do /bin/sleep 0.01; done
trap 'rmdir "$LEASE_STORE.lock"' EXIT
read -r version time holder < "$LEASE_STORE"
value() { printf '%s' "$*" | sed -n "s|.*/$name\\", \\"value\\": \\"\\([^\\"]*\\)\\".*|\\1|p"; }
case "$*" in
*patch*)
    name=resourceVersion
    [ "$(value "$@")" = "$version" ] || exit 1
    for patch; do :; done
    printf '%s' "$patch" > "$LEASE_STORE.patch"
    name=holderIdentity; holder=$(value "$@")
    name=renewTime; time=$(value "$@")
    echo "$((version + 1)) $time $holder" > "$LEASE_STORE.new" && mv "$LEASE_STORE.new" "$LEASE_STORE"
    ;;
*) echo "$version $time $holder" ;;
esac
`;

describe("the recipes of docs/high-availability.md", () => {
    let directory: string;

    beforeEach(() => {
        directory = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-lease-"));
    });

    afterEach(() => rmSync(directory, { recursive: true, force: true }));

    it("the flow connects and closes the gateway as the file says, also after a restart", async () => {
        const broker = await Mosquitto.start();
        const leaseFile = path.join(directory, "lease");
        const userDir = path.join(directory, "user");
        mkdirSync(userDir);
        const [flow = "[]"] = codeOf("json");
        const flows = [
            { id: "lease", type: "tab", label: "lease" },
            gatewayNode(broker.port, { autoConnect: false }),
            ...(JSON.parse(flow) as object[]),
        ];
        const start = () => NodeRedProcess.start("node-red", { userDir, env: { LEASE_FILE: leaseFile } });
        writeFileSync(leaseFile, "disconnect\n");
        let nodeRed = await start();
        try {
            await nodeRed.deploy(flows);
            await waitFor(() => nodeRed.log.includes("does not connect at start"), "the gateway to wait");
            assert.equal(broker.connects, 0);
            writeFileSync(leaseFile, "connect\n");
            await broker.logged(/as g:org:gw:gw1/);
            writeFileSync(leaseFile, "disconnect\n");
            await broker.logged(/Received DISCONNECT from g:org:gw:gw1/);
            writeFileSync(leaseFile, "connect\n");
            await broker.logged(/as g:org:gw:gw1/, 2);
            await nodeRed.kill("SIGKILL");
            nodeRed = await start();
            await broker.logged(/as g:org:gw:gw1/, 3);
        } finally {
            await nodeRed.stop();
            await broker.stop();
        }
    });

    it("the script for Kubernetes gives the lease to one of two pods, and to the other one when that has ended", async function () {
        if (process.platform === "win32") return;
        this.timeout(120_000);
        const script = codeOf("sh").find((code) => code.includes("kubectl")) ?? assert.fail("no script");
        const bin = path.join(directory, "bin");
        const store = path.join(directory, "store.json");
        mkdirSync(bin);
        // Time runs five times as fast for the script.
        const date = '#!/bin/sh\nif [ "$1" = +%s ]; then echo $(($(/bin/date +%s%N) / 200000000)); else exec /bin/date "$@"; fi\n';
        for (const [name, code] of Object.entries({ kubectl, date, sleep: "#!/bin/sh\nexec /bin/sleep 0.1\n" })) {
            writeFileSync(path.join(bin, name), code);
            chmodSync(path.join(bin, name), 0o755);
        }
        writeFileSync(store, "1 2026-01-01T00:00:00.000000Z nobody\n");
        const version = () => Number(readFileSync(store, "utf8").split(" ")[0]);
        const pods = ["pod-0", "pod-1"].map((name) => {
            const folder = path.join(directory, name);
            mkdirSync(folder);
            const word = () => (existsSync(path.join(folder, "word")) ? readFileSync(path.join(folder, "word"), "utf8").trim() : "");
            return { name, folder, word };
        });
        const children = new Map<string, ChildProcess>();
        const run = ({ name, folder }: (typeof pods)[number]) => {
            const env = { ...process.env, PATH: `${bin}:${process.env.PATH ?? ""}`, POD_NAME: name, LEASE_STORE: store };
            children.set(name, spawn("/bin/sh", ["-c", script.replaceAll("/lease/", `${folder}/`)], { env, stdio: "ignore" }));
        };
        try {
            for (const pod of pods) run(pod);
            await waitFor(() => pods.some(({ word }) => word() === "connect"), "one pod to hold the lease");
            const active = pods.find(({ word }) => word() === "connect") ?? assert.fail();
            const other = pods.find((pod) => pod !== active) ?? assert.fail();
            assert.equal(other.word(), "disconnect");
            const renewed = version();
            await waitFor(() => version() > renewed + 3, "the lease to be renewed");
            assert.deepEqual([active.word(), other.word()], ["connect", "disconnect"]);
            children.get(active.name)?.kill("SIGKILL");
            await waitFor(() => other.word() === "connect", "the other pod to take the lease");
            const operations: unknown = JSON.parse(readFileSync(`${store}.patch`, "utf8"));
            assert.ok(Array.isArray(operations) && operations.length === 3);
            run(active);
            await waitFor(() => active.word() === "disconnect", "the pod that came back to stand by");
            assert.equal(other.word(), "connect");
        } finally {
            for (const child of children.values()) child.kill("SIGKILL");
        }
    });
});
