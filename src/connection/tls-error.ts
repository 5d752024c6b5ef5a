import type { PeerCertificate } from "node:tls";
import type { ConnectionCause } from "./connect-error";

interface TlsPlace {
    readonly host: string;
    readonly port: number;
}

/**
 * A TLS failure in words: which check failed, on which certificate, and what to do. Undefined when the error is not one
 * of TLS.
 * @param certificate what the server presented, as far as known
 */
export function describeTlsError(error: unknown, certificate: PeerCertificate | undefined, { host, port }: TlsPlace): string | undefined {
    const code = tlsCode(error);
    if (code === undefined || !(error instanceof Error)) return undefined;
    const shown = describeCertificate(certificate);
    switch (code) {
        case "CERT_HAS_EXPIRED":
            return `The certificate of ${host}${shown} has expired${until(certificate)}: it must be renewed on the server. Is this machine's clock right?`;
        case "CERT_NOT_YET_VALID":
            return `The certificate of ${host}${shown} is not valid yet: is this machine's clock right?`;
        case "CERT_REVOKED":
            return `The certificate of ${host}${shown} has been revoked.`;
        case "ERR_TLS_CERT_ALTNAME_INVALID":
            return `The certificate of ${host}${shown} was issued for another name${names(certificate)}: connect by one of its names, or set the server name in the TLS settings.`;
        case "DEPTH_ZERO_SELF_SIGNED_CERT":
            return `The certificate of ${host}${shown} is self-signed and not trusted: add it as CA certificate in the TLS settings.`;
        case "SELF_SIGNED_CERT_IN_CHAIN":
        case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
        case "UNABLE_TO_GET_ISSUER_CERT":
        case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
            return `The certificate of ${host}${shown} is signed by an authority that is not trusted: add the CA certificate of the server in the TLS settings.`;
        case "ERR_SSL_WRONG_VERSION_NUMBER":
        case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
            return `${host}:${port} does not speak TLS: is it the port for connections without TLS?`;
        default:
            return describeOther(code, error.message, host);
    }
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
        return `${host} ended the TLS handshake: it may require a client certificate (TLS settings), or share no TLS version or cipher with this machine.`;
    }
    if (alertOnOurCertificate.test(code)) {
        return `${host} does not accept the client certificate of the TLS settings (${alertName(code)}).`;
    }
    if (
        code === "ERR_OSSL_BAD_DECRYPT" ||
        code === "ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED" ||
        code === "ERR_OSSL_PKCS12_MAC_VERIFY_FAILURE"
    ) {
        return "The private key of the TLS settings cannot be read: the passphrase is wrong or missing.";
    }
    if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH")
        return "The private key of the TLS settings does not belong to the client certificate.";
    if (code.startsWith("ERR_OSSL_")) return `A certificate or key of the TLS settings cannot be read: ${message}.`;
    if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || verificationCodes.test(code)) {
        return `The TLS connection to ${host} could not be established: ${message} (${code}).`;
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

function describeCertificate(certificate: PeerCertificate | undefined): string {
    const subject = commonName(certificate?.subject?.CN);
    const issuer = commonName(certificate?.issuer?.CN);
    if (subject === undefined) return "";
    return issuer === undefined ? ` (${subject})` : ` (${subject}, issued by ${issuer})`;
}

function until(certificate: PeerCertificate | undefined): string {
    return certificate?.valid_to ? ` on ${certificate.valid_to}` : "";
}

function names(certificate: PeerCertificate | undefined): string {
    const listed = certificate?.subjectaltname?.replaceAll("IP Address:", "").replaceAll("DNS:", "");
    return listed ? ` (${listed.slice(0, 200)})` : "";
}

function commonName(value: string | string[] | undefined): string | undefined {
    const name = Array.isArray(value) ? value[0] : value;
    return name?.slice(0, 100);
}
