import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";

const program = path.join(__dirname, "support", "program.js");

function traceOf(seed: number): string {
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, "--trace", `--seed=${seed}`], {
        encoding: "utf8",
        maxBuffer: 2 ** 28,
    });
    assert.equal(status, 0, stderr + stdout.slice(-2_000));
    return stdout;
}

describe("a history in two processes", function () {
    this.timeout(120_000);
    let trace = "";

    before(() => {
        trace = traceOf(3);
    });

    it("has the same trace to the byte", () => {
        assert.ok(trace.split("\n").length > 1_000, `a trace of ${trace.length} characters`);
        assert.equal(traceOf(3), trace);
    });

    it("has another trace with another seed", () => assert.notEqual(traceOf(4), trace));
});
