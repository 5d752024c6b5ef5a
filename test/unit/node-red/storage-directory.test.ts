import assert from "node:assert/strict";
import path from "node:path";
import type { NodeAPI } from "../../../src/node-red/api";
import { storageDirectory } from "../../../src/node-red/gateway-lease";
import { throwsCode } from "../../support/assertions";

const userDir = path.resolve("/home/node/.node-red");
const elsewhere = path.resolve("/mnt/data/outbox");

function directoryOf(settings: Record<string, unknown>): string | undefined {
    return storageDirectory({ settings } as unknown as NodeAPI);
}

describe("the folder of the outbox files", () => {
    it("the folder is in the user directory unless the settings name another", () => {
        for (const chosen of [undefined, null, ""]) {
            assert.equal(directoryOf({ userDir, gatewayConfigStorageDir: chosen }), path.join(userDir, "wiotp-gateway"));
        }
    });

    it("the folder may be absolute, or below the user directory", () => {
        assert.equal(directoryOf({ userDir, gatewayConfigStorageDir: elsewhere }), elsewhere);
        assert.equal(directoryOf({ userDir, gatewayConfigStorageDir: "data/outbox" }), path.join(userDir, "data", "outbox"));
    });

    it("the folder is absent without a user directory, unless it is absolute", () => {
        assert.equal(directoryOf({}), undefined);
        assert.equal(directoryOf({ userDir: "", gatewayConfigStorageDir: "outbox" }), undefined);
        assert.equal(directoryOf({ gatewayConfigStorageDir: elsewhere }), elsewhere);
    });

    it("a folder that is not a text is GW_CONFIG with the name of the setting", () => {
        const { message } = throwsCode("GW_CONFIG", () => directoryOf({ userDir, gatewayConfigStorageDir: ["a"] }));
        assert.match(message, /gatewayConfigStorageDir/);
    });
});
