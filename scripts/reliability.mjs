// The reliability tests with a long fault campaign: npm run test:reliability. docs/reliability.md has the options.
process.env.RELIABILITY_ROUNDS ??= "100";
process.argv.push("reliability");
await import("./test.mjs");
