import assert from "node:assert/strict";
import { assertNoSecrets, secretMarker, secretsIn, secretToken } from "../support/secrets";

describe("the search for secrets", () => {
    it("finds the token in each form, with anything around it", () => {
        for (const before of ["", "a", "ab", "abc", "use-token-auth:"]) {
            const bytes = Buffer.from(`${before}${secretToken} after`);
            assert.deepEqual(secretsIn(bytes.toString()), ["as it is"]);
            assert.deepEqual(secretsIn(`x${bytes.toString("base64")}x`), ["in base64"]);
            assert.deepEqual(secretsIn(bytes.toString("base64url")), ["in base64"]);
            assert.deepEqual(secretsIn(bytes.toString("hex").toUpperCase()), ["in hexadecimal"]);
            assert.deepEqual(secretsIn(Buffer.from(bytes.toString(), "utf16le").toString("latin1")), ["in UTF-16"]);
            const encoded = [...bytes].map((byte) => `%${byte.toString(16).toUpperCase()}`).join("");
            assert.deepEqual(secretsIn(`https://host/?token=${encoded}`), ["percent-encoded"]);
        }
    });

    it("finds nothing in a text without a secret", () => {
        assert.deepEqual(secretsIn(""), []);
        assert.deepEqual(secretsIn(secretMarker.slice(1)), []);
        assert.deepEqual(secretsIn(Buffer.alloc(10_000, 0xa5).toString("base64")), []);
    });

    it("fails with the place of the secret and the text before it", () => {
        assert.doesNotThrow(() => assertNoSecrets([["the log", "nothing"]]));
        assert.throws(
            () => assertNoSecrets([["the log", `password=${secretToken}`]]),
            /the log contains a secret as it is, after "password=token-"/,
        );
    });
});
