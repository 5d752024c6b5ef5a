import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { requireRecord } from "../support/records";

/** Licences that ask for nothing but their own text. */
const allowedLicences = ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"];

const manifest = requireRecord(JSON.parse(readFileSync("package.json", "utf8")));
const lock = requireRecord(JSON.parse(readFileSync("package-lock.json", "utf8")));
const packages = Object.entries(requireRecord(lock.packages)).map(([path, entry]) => ({ path, ...requireRecord(entry) }));

interface LockedPackage {
    readonly path: string;
    readonly version?: unknown;
    readonly license?: unknown;
    readonly dev?: unknown;
    readonly devOptional?: unknown;
    readonly hasInstallScript?: unknown;
    readonly resolved?: unknown;
    readonly integrity?: unknown;
}

/** What a user of the package gets. */
const production = packages.filter(({ path, dev, devOptional }: LockedPackage) => path !== "" && dev !== true && devOptional !== true);
const nameOf = (path: string) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

const nameOfPackage = ({ path }: LockedPackage) => nameOf(path);

describe("what the package depends on", () => {
    it("the lock file matches package.json", () => {
        const [root] = packages.filter(({ path }) => path === "");
        for (const kind of ["dependencies", "devDependencies"]) assert.deepEqual(requireRecord(root)[kind], manifest[kind], kind);
        assert.equal(lock.version, manifest.version);
        assert.ok(production.length > 20);
    });

    it("every package comes from npm's registry, with a checksum", () => {
        const others = production.filter(
            ({ resolved, integrity }: LockedPackage) =>
                !String(integrity).startsWith("sha512-") ||
                (resolved !== undefined && !String(resolved).startsWith("https://registry.npmjs.org/")),
        );
        assert.deepEqual(others.map(nameOfPackage), []);
    });

    it("no package runs or builds anything at installation", () => {
        const building = production.filter(
            ({ path, hasInstallScript }: LockedPackage) => hasInstallScript === true || existsSync(`${path}/binding.gyp`),
        );
        assert.deepEqual(building.map(nameOfPackage), []);
    });

    it("every package has a licence that can be fulfilled, as docs/licences.md lists them", () => {
        const rows = production.map(({ path, license }: LockedPackage) => `| ${nameOf(path)} | ${String(license)} |`);
        assert.deepEqual(
            production.filter(({ license }: LockedPackage) => !allowedLicences.includes(String(license))).map(nameOfPackage),
            [],
        );
        const listed = readFileSync("docs/licences.md", "utf8")
            .split("\n")
            .filter((line) => line.startsWith("| ") && !line.startsWith("| package"));
        assert.deepEqual(listed, [...new Set(rows)].sort());
    });
});
