// Mocha's spec output, plus the totals and the failures written to the file that TEST_REPORT names, for scripts/test.mjs to add up and repeat.
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

const MAX_CHARACTERS = 4000;

function toText(test) {
    const reason = test.err?.stack ?? String(test.err?.message ?? test.err);
    return `${test.titlePath().join(" > ")}\n${reason}`.slice(0, MAX_CHARACTERS);
}

module.exports = class extends reporters.Spec {
    done(failures, end) {
        const { passes, pending } = this.stats;
        // A skipped test counts as failed: a green run means that everything ran.
        const report = { passed: passes, failed: failures + pending, failures: this.failures.map(toText) };
        writeFileSync(process.env.TEST_REPORT, JSON.stringify(report));
        end(failures + pending);
    }
};
