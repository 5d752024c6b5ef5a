import assert from "node:assert/strict";
import { type ErrorCode, GatewayError } from "../../src/errors";

/** Asserts that `action` throws a `GatewayError` with this code, and returns it. */
export function throwsCode(code: ErrorCode, action: () => unknown): GatewayError {
    try {
        action();
    } catch (thrown) {
        assert.ok(thrown instanceof GatewayError, `threw ${String(thrown)}, not a GatewayError`);
        assert.equal(thrown.code, code);
        return thrown;
    }
    assert.fail(`did not throw ${code}`);
}

/** Asserts that the promise rejects with a `GatewayError` with this code, and returns it. */
export async function rejectsCode(code: ErrorCode, promise: Promise<unknown>): Promise<GatewayError> {
    const outcome = await promise.then(
        () => undefined,
        (thrown: unknown) => ({ thrown }),
    );
    return throwsCode(code, () => {
        if (outcome) throw outcome.thrown;
    });
}
