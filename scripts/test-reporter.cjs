// Mocha's spec output, plus the totals and the failures written to the file that TEST_REPORT names, for scripts/test.mjs to add up and repeat.
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

const maxCharacters = 4000;
const graceMs = 180_000;

function toText(test) {
    const { message = String(test.err), stack = "" } = test.err ?? {};
    // What was added to a message later is not in the stack.
    const reason = stack.includes(message) ? stack : `${message}\n${stack}`;
    return `${test.titlePath().join(" > ")}\n${reason}`.slice(0, maxCharacters);
}

module.exports = class extends reporters.Spec {
    done(failures, end) {
        const { passes, pending, tests } = this.stats;
        // A skipped test counts as failed: a green run means that everything ran. A hook that fails takes the rest of its suite with it.
        const report = {
            passed: passes,
            failed: failures + pending,
            notRun: this.runner.total - tests,
            failures: this.failures.map(toText),
        };
        writeFileSync(process.env.TEST_REPORT, JSON.stringify(report));
        end(failures + pending);
        // What a failed test left open would keep the process alive for ever; after tests that passed it is a failure of its own.
        setTimeout(() => {
            process.stderr.write("The tests are over, but something keeps their process alive; it is ended.\n");
            process.exit(1);
        }, graceMs).unref();
    }
};
