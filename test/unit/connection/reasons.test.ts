import assert from "node:assert/strict";
import { type ConnectionCause, type ReasonOptions, tokenFaultOf } from "../../../src/connection/reason";
import { describeEnd, describeTimeout } from "../../../src/connection/reasons";

const context: ReasonOptions = { host: "mas.example", port: 443, transport: "tls", clientId: "g:ws1:gw:g1" };

function failure(code: string, message = "something") {
    return { kind: "failed", stage: "dialling", error: Object.assign(new Error(message), { code }) } as const;
}

describe("reasons for the end of a connection", () => {
    const cases: [code: string, reasonCode: string, cause: ConnectionCause | undefined, words: RegExp][] = [
        ["ENOTFOUND", "GW_NETWORK", "hostNotFound", /host name mas\.example was not found/],
        ["EAI_AGAIN", "GW_NETWORK", "hostNotFound", /DNS does not answer/],
        ["ECONNREFUSED", "GW_NETWORK", "refused", /mas\.example:443 refused the connection/],
        ["ETIMEDOUT", "GW_NETWORK", "timedOut", /did not answer/],
        ["EHOSTUNREACH", "GW_NETWORK", undefined, /cannot be reached/],
        ["ECONNRESET", "GW_NETWORK", undefined, /reset the connection before it was established/],
        ["CERT_HAS_EXPIRED", "GW_TLS", "certificateExpired", /has expired/],
        ["ERR_TLS_CERT_ALTNAME_INVALID", "GW_TLS", "certificateName", /issued for another name/],
        ["DEPTH_ZERO_SELF_SIGNED_CERT", "GW_TLS", "certificateUntrusted", /self-signed/],
        ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "GW_TLS", "certificateUntrusted", /authority that is not trusted/],
        ["ERR_SSL_WRONG_VERSION_NUMBER", "GW_TLS", undefined, /does not speak TLS/],
        ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "GW_TLS", undefined, /require a client certificate/],
        ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "GW_TLS", "clientCertificate", /does not accept the client certificate .*unknown ca/],
        ["ERR_OSSL_PEM_NO_START_LINE", "GW_TLS", undefined, /cannot be read/],
        ["ESTRANGE", "GW_NETWORK", undefined, /something/],
    ];
    for (const [code, reasonCode, cause, words] of cases) {
        it(`explains ${code}`, () => {
            const reason = describeEnd(failure(code), false, context);
            assert.deepEqual([reason.code, reason.cause], [reasonCode, cause]);
            assert.match(reason.text, words);
        });
    }

    it("says that the platform expects the organisation in the host name, if a websocket ends before the login", () => {
        const missing = { ...context, transport: "wss", missingOrganisation: "ws1" };
        const ends = [{ kind: "closed", stage: "open" } as const, { ...failure("ECONNRESET"), stage: "open" } as const];
        for (const end of ends) assert.match(describeEnd(end, false, missing).text, /organisation ws1 as the first part of the host name/);
        for (const reason of [
            describeEnd({ kind: "closed", stage: "open" }, true, missing),
            describeEnd(failure("ENOTFOUND"), false, missing),
            describeEnd({ kind: "closed", stage: "open" }, false, context),
        ]) {
            assert.doesNotMatch(reason.text, /organisation ws1/);
        }
    });

    describe("after a refused login", () => {
        const text = (token: string | undefined, returnCode = 5) =>
            describeEnd({ kind: "refused", returnCode }, false, { ...context, tokenFault: tokenFaultOf(token) }).text;

        it("says that no token was sent, as after the import of a flow", () => {
            assert.match(text(undefined), /mas\.example did not authorise g:ws1:gw:g1, and no token was sent\. Enter the token in/);
            assert.match(text(undefined, 4), /no token was sent/);
            assert.match(text("abc"), /the token, organisation, type or device id is wrong/);
        });

        it("says that the token ends with a line end or a blank, as one that was read from a file", () => {
            for (const token of ["abc\n", "abc\r\n", "abc ", "\tabc", "abc\u00a0"]) {
                assert.match(text(token), /did not authorise g:ws1:gw:g1: .* The token begins or ends with a blank or a line end/);
                assert.doesNotMatch(text(token), /abc/);
            }
            for (const token of ["abc", "a b\nc"]) assert.doesNotMatch(text(token), /blank/);
        });
    });

    it("recognises OpenSSL's message if Node.js gives no code", () => {
        const words = (problem: string) =>
            `write EPROTO 407D33:error:0A00010B:SSL routines:tls_validate_record_header:${problem}:../ssl.c:77:\n`;
        const reason = (message: string) => describeEnd(failure("EPROTO", message), false, context);
        assert.match(reason(words("wrong version number")).text, /does not speak TLS/);
        assert.match(reason(words("tlsv1 alert unknown ca")).text, /does not accept the client certificate/);
        assert.equal(reason("read EPROTO").code, "GW_NETWORK");
    });

    it("names the first of several addresses that all failed", () => {
        const error = new AggregateError([Object.assign(new Error(""), { code: "ECONNREFUSED" })]);
        assert.match(describeEnd({ kind: "failed", stage: "dialling", error }, false, context).text, /refused/);
    });

    it("blames the web proxy for failures on the way to it, and the server for others", () => {
        const refused = { ...failure("ECONNREFUSED"), proxy: "proxy.example:3128" };
        assert.equal(
            describeEnd(refused, false, context).text,
            "Cannot reach mas.example:443 through proxy proxy.example:3128. proxy.example:3128 refused the connection: nothing listens on that port, or a firewall rejects it.",
        );
        const reset = { ...failure("ECONNRESET"), stage: "open", proxy: "proxy.example:3128" } as const;
        assert.equal(describeEnd(reset, true, context).text, "The connection to mas.example:443 was reset.");
    });

    it("quotes an invalid packet of the server in a separate sentence", () => {
        const violated = { kind: "violated", detail: "A PUBACK has no packet id." } as const;
        const texts = [true, false].map((wasOnline) => describeEnd(violated, wasOnline, context).text);
        assert.deepEqual(texts, [
            "mas.example:443 sent invalid data; reconnecting. A PUBACK has no packet id.",
            "mas.example:443 does not speak MQTT: are the port and the transport right? A PUBACK has no packet id.",
        ]);
    });

    it("names no more causes of a refusal than the server distinguishes", () => {
        const refusal = (returnCode: number) => describeEnd({ kind: "refused", returnCode }, false, context);
        assert.match(refusal(5).text, /the token, organisation, type or device id is wrong/);
        assert.match(refusal(2).text, /does not accept the client id g:ws1:gw:g1/);
        assert.match(refusal(3).text, /unavailable/);
        assert.match(refusal(77).text, /77/);
        assert.deepEqual(
            [5, 2, 3, 77].map((returnCode) => refusal(returnCode).cause),
            [undefined, "clientIdRefused", "unavailable", undefined],
        );
    });

    it("mentions the last will, if there is one, when a server closes without an answer", () => {
        const closed = { kind: "closed", stage: "open" } as const;
        const [without, withWill] = [undefined, "iot-2/x"].map((willTopic) => describeEnd(closed, false, { ...context, willTopic }));
        assert.equal(without?.cause, "unanswered");
        assert.doesNotMatch(without?.text ?? "", /last will/);
        assert.equal(withWill?.cause, "willRefused");
        assert.match(withWill?.text ?? "", /refuses the last will on iot-2\/x/);
        assert.match(describeEnd(closed, true, context).text, /closed the connection\.$/);
    });

    it("says how far an attempt got before it timed out", () => {
        const reasons = (["dialling", "securing", "open"] as const).map((stage) => describeTimeout({ stage }, 30_000, context));
        assert.ok(reasons.every(({ cause }) => cause === "timedOut"));
        const texts = reasons.map(({ text }) => text);
        assert.match(texts[0] ?? "", /did not answer within 30 s/);
        assert.match(texts[1] ?? "", /handshake within 30 s/);
        assert.match(texts[2] ?? "", /CONNECT within 30 s/);
    });
});
