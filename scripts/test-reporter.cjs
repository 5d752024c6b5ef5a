// Mocha's spec output, plus the totals written to the file that TEST_REPORT names, for scripts/test.mjs to add up.
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

module.exports = class extends reporters.Spec {
    done(failures, end) {
        const { passes, pending } = this.stats;
        // A skipped test counts as failed: a green run means that everything ran.
        writeFileSync(process.env.TEST_REPORT, JSON.stringify({ passed: passes, failed: failures + pending }));
        end(failures + pending);
    }
};
