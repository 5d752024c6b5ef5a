import type { DialProgress } from "./transport";

/** The certificates that the two ends of a stream presented: those of which it is known when they expire. */
export function presentedCertificates({ certificate, ownCertificate }: DialProgress): readonly PresentedCertificate[] {
    const presented = [
        { whose: "server", expiresAtMs: Date.parse(certificate?.valid_to ?? "") },
        { whose: "client", expiresAtMs: Date.parse(ownCertificate?.valid_to ?? "") },
    ] as const;
    return presented.filter(({ expiresAtMs }) => Number.isFinite(expiresAtMs));
}

/** A certificate with which a connection was secured. */
export interface PresentedCertificate {
    readonly whose: "server" | "client";
    /** Wall-clock milliseconds from which it is not valid any more. */
    readonly expiresAtMs: number;
}
