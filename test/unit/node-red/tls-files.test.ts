import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { NodeAPI } from "../../../src/node-red/api";
import type { TlsOptions } from "../../../src/node-red/tls";
import { withCurrentFiles } from "../../../src/node-red/tls-files";

describe("files of a tls-config node", () => {
    let directory: string;
    let file: string;
    const warnings: string[] = [];

    beforeEach(() => {
        directory = mkdtempSync(path.join(tmpdir(), "tls-files-"));
        file = path.join(directory, "ca.crt");
        warnings.length = 0;
    });

    afterEach(() => rmSync(directory, { recursive: true, force: true }));

    /** The options of a node with this definition, as it has read them. */
    function current(definition: Record<string, unknown>, options: TlsOptions): TlsOptions {
        const RED = {
            nodes: {
                getNode: (id: string) => ({ id }),
                eachNode: (visit: (definition: unknown) => void) => visit({ id: "tls", ...definition }),
            },
            util: { getSetting: (_node: unknown, name: string) => (name === "CERTIFICATES" ? directory : undefined) },
        };
        return withCurrentFiles(RED as unknown as NodeAPI, "tls", options, (text) => warnings.push(text));
    }

    const shown = (options: TlsOptions) => Object.fromEntries(Object.entries({ ...options }).map(([name, value]) => [name, String(value)]));

    it("each copy of the options holds what the files hold at that moment", () => {
        for (const ca of [file, ` ${file} `, "${CERTIFICATES}/ca.crt"]) {
            writeFileSync(file, "first");
            const options = current({ ca }, { ca: "first", rejectUnauthorized: true });
            assert.deepEqual(shown(options), { ca: "first", rejectUnauthorized: "true" });
            writeFileSync(file, "second");
            assert.deepEqual(shown(options), { ca: "second", rejectUnauthorized: "true" });
        }
        assert.deepEqual(warnings, []);
    });

    it("a PKCS #12 file is read again, an upload and a variable are not", () => {
        writeFileSync(file, "second");
        assert.equal(shown(current({ certType: "pfx", p12: file }, { pfx: "first" })).pfx, "second");
        assert.equal(shown(current({ certType: "env", ca: file }, { ca: "first" })).ca, "first");
        assert.equal(shown(current({ ca: "" }, { ca: "first" })).ca, "first");
    });

    it("an unreadable file keeps its last good content, with one warning each time that it becomes unreadable", () => {
        writeFileSync(file, "first");
        const options = current({ ca: file }, { ca: "first" });
        writeFileSync(file, "second");
        assert.equal(shown(options).ca, "second");
        rmSync(file);
        for (let attempt = 0; attempt < 3; attempt++) assert.equal(shown(options).ca, "second");
        assert.equal(warnings.length, 1);
        assert.match(String(warnings[0]), /ca\.crt cannot be read: .*ENOENT/);
        writeFileSync(file, "third");
        assert.equal(shown(options).ca, "third");
        rmSync(file);
        mkdirSync(file);
        assert.equal(shown(options).ca, "third");
        assert.match(String(warnings[1]), /not a file of 1 to 1000000 bytes/);
    });

    it("an empty or huge file is not taken for a certificate", () => {
        for (const content of ["", "x".repeat(1_000_001)]) {
            writeFileSync(file, content);
            assert.equal(shown(current({ ca: file }, { ca: "first" })).ca, "first");
        }
        assert.equal(warnings.length, 2);
    });
});
