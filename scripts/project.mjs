// Where the scripts find the project and what it is built with.
import { createRequire } from "node:module";
import path from "node:path";

export const root = path.dirname(import.meta.dirname);

/** The TypeScript compiler. */
export const compiler = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
