import assert from "node:assert/strict";
import fc from "fast-check";
import { storeFileName } from "../../../src/outbox/store/store-file";

describe("the name of an outbox file", () => {
    const id = fc.oneof(fc.stringMatching(/^[A-Za-z0-9_.-]{1,36}$/), fc.stringMatching(/^[AB]{35,36}$/));
    const owner = fc.record({ orgId: id, typeId: id, deviceId: id });

    it("the name is readable for an ordinary identity", () => {
        assert.equal(storeFileName({ orgId: "myorg1", typeId: "gateway", deviceId: "hall-3" }), "gw+myorg1+gateway+hall-3.sqlite");
    });

    it("the name is legal on Linux and Windows for every legal identity", () => {
        fc.assert(
            fc.property(owner, (identity) => {
                const name = storeFileName(identity);
                assert.match(name, /^gw\+[a-z0-9_.=+-]+\.sqlite$/);
                assert.ok(Buffer.byteLength(`${name}.corrupt-2026-01-01T00-00-00.000Z-wal`) <= 255, name);
            }),
        );
    });

    it("names differ for different identities, even on a file system that ignores case", () => {
        fc.assert(
            fc.property(owner, owner, (one, other) => {
                const isSame = JSON.stringify(one) === JSON.stringify(other);
                assert.equal(storeFileName(one).toLowerCase() === storeFileName(other).toLowerCase(), isSame);
            }),
        );
        assert.notEqual(
            storeFileName({ orgId: "o", typeId: "Gw", deviceId: "CON" }).toLowerCase(),
            storeFileName({ orgId: "o", typeId: "gW", deviceId: "con" }).toLowerCase(),
        );
    });

    it("the name encodes characters that are not legal in an id", () => {
        assert.equal(storeFileName({ orgId: "../x", typeId: "é+", deviceId: "a b" }), "gw+..%2fx+%c3%a9%2b+a%20b.sqlite");
    });

    it("the name is never one that Windows reserves, mistakes for a folder or changes", () => {
        const ids = ["CON", "NUL", "COM1", "aux", "..", ".", "a.", "a..", ".".repeat(36), "-", "_"];
        const names = new Set<string>();
        for (const orgId of ids) {
            for (const deviceId of ids) {
                const name = storeFileName({ orgId, typeId: "t", deviceId });
                assert.doesNotMatch(name, /^(con|nul|aux|prn|com\d|lpt\d)(\.|$)|[. ]$|[<>:"/\\|?*]/i, name);
                names.add(name.toLowerCase());
            }
        }
        assert.equal(names.size, ids.length ** 2);
    });
});
