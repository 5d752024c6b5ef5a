import type { PeerCertificate } from "node:tls";
import { translate } from "../i18n";
import type { ConnectionCause } from "./reason";

/**
 * A TLS failure as text: which check failed, on which certificate, and the remedy. Undefined when the error is not one
 * of TLS.
 * @param certificate what the server presented, as far as known
 */
export function describeTlsError(error: unknown, certificate: PeerCertificate | undefined, { host, port }: TlsPlace): string | undefined {
    const code = tlsCode(error);
    if (code === undefined || !(error instanceof Error)) return undefined;
    const server = withCertificate(host, certificate);
    switch (code) {
        case "CERT_HAS_EXPIRED":
            return describeExpiry(server, certificate);
        case "CERT_NOT_YET_VALID":
            return translate("tls.notYetValid", { server });
        case "CERT_REVOKED":
            return translate("tls.revoked", { server });
        case "ERR_TLS_CERT_ALTNAME_INVALID":
            return describeOtherName(server, certificate);
        case "DEPTH_ZERO_SELF_SIGNED_CERT":
            return translate("tls.selfSigned", { server });
        case "SELF_SIGNED_CERT_IN_CHAIN":
        case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
        case "UNABLE_TO_GET_ISSUER_CERT":
        case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
            return translate("tls.untrusted", { server });
        case "ERR_SSL_WRONG_VERSION_NUMBER":
        case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
            return translate("tls.notSpoken", { server: `${host}:${port}` });
        default:
            return describeOther(code, error.message, host);
    }
}

interface TlsPlace {
    readonly host: string;
    readonly port: number | string;
}

/** What a TLS failure comes to, where a status has words for it. */
export function tlsCause(error: unknown): ConnectionCause | undefined {
    const code = tlsCode(error) ?? "";
    return alertOnOurCertificate.test(code) ? "clientCertificate" : causes[code];
}

const causes: Readonly<Record<string, ConnectionCause>> = {
    CERT_HAS_EXPIRED: "certificateExpired",
    ERR_TLS_CERT_ALTNAME_INVALID: "certificateName",
    DEPTH_ZERO_SELF_SIGNED_CERT: "certificateUntrusted",
    SELF_SIGNED_CERT_IN_CHAIN: "certificateUntrusted",
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificateUntrusted",
    UNABLE_TO_GET_ISSUER_CERT: "certificateUntrusted",
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificateUntrusted",
};

/** The server's words about the certificate of this side. */
const alertOnOurCertificate =
    /ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE)$/;

function tlsCode(error: unknown): string | undefined {
    if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
    return error.code === "EPROTO" ? codeFromWords(error.message) : error.code;
}

/** Node gives a failure while writing no code of its own, only OpenSSL's words: `…:SSL routines:function:wrong version number:…`. */
function codeFromWords(message: string): string {
    const words = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1];
    return words === undefined ? "EPROTO" : `ERR_SSL_${words.toUpperCase().replaceAll(" ", "_")}`;
}

/** Alerts that the server sends about our side, and everything else that OpenSSL reports. */
function describeOther(code: string, message: string, host: string): string | undefined {
    if (/ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)$/.test(code)) {
        return translate("tls.certificateWanted", { host });
    }
    if (alertOnOurCertificate.test(code)) {
        return translate("tls.clientCertificateRefused", { host, alert: alertName(code) });
    }
    if (
        code === "ERR_OSSL_BAD_DECRYPT" ||
        code === "ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED" ||
        code === "ERR_OSSL_PKCS12_MAC_VERIFY_FAILURE"
    ) {
        return translate("tls.passphrase");
    }
    if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH") return translate("tls.otherKey");
    if (code.startsWith("ERR_OSSL_")) return translate("tls.unreadable", { message });
    if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || verificationCodes.test(code)) {
        return translate("tls.failed", { host, message, code });
    }
    return undefined;
}

/** The rest of the codes by which OpenSSL names a failed check of a certificate. */
const verificationCodes =
    /^(CERT_|CRL_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERROR_IN_CERT_|ERROR_IN_CRL_)/;

function alertName(code: string): string {
    return code
        .slice(code.indexOf("ALERT_") + "ALERT_".length)
        .toLowerCase()
        .replaceAll("_", " ");
}

/** The host, with what its certificate says of itself. */
function withCertificate(host: string, certificate: PeerCertificate | undefined): string {
    const subject = commonName(certificate?.subject?.CN);
    const issuer = commonName(certificate?.issuer?.CN);
    if (subject === undefined) return host;
    return issuer === undefined ? `${host} (${subject})` : translate("tls.issuedBy", { host, subject, issuer });
}

function describeExpiry(server: string, certificate: PeerCertificate | undefined): string {
    const date = certificate?.valid_to;
    return date ? translate("tls.expiredOn", { server, date }) : translate("tls.expired", { server });
}

function describeOtherName(server: string, certificate: PeerCertificate | undefined): string {
    const names = certificate?.subjectaltname?.replaceAll("IP Address:", "").replaceAll("DNS:", "").slice(0, 200);
    return names ? translate("tls.otherNames", { server, names }) : translate("tls.otherName", { server });
}

function commonName(value: string | string[] | undefined): string | undefined {
    const name = Array.isArray(value) ? value[0] : value;
    return name?.slice(0, 100);
}
