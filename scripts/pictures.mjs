// npm run pictures: runs the browser tests and keeps the pictures they take, for the documents.
import path from "node:path";

process.env.PICTURES_FOLDER ??= path.join(path.dirname(import.meta.dirname), "docs", "images");
process.argv.splice(2, process.argv.length, "e2e", "e2e-panel");
await import("./test.mjs");
