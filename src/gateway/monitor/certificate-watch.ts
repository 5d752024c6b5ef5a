import type { Clock, Timer } from "../../clock";
import type { PresentedCertificate } from "../../connection/presented-certificates";
import { translate } from "../../i18n";

const dayMs = 24 * 60 * 60_000;
const lookEveryMs = 60 * 60_000;
/** Time enough for somebody to renew a certificate. */
const warnDays = 30;

/**
 * Watches how long the certificates of the last connection are valid. While that is open, each that ends within 30 days, or has ended, is a
 * warning once a day, however often the connection comes and goes.
 */
export class CertificateWatch {
    readonly #deps: CertificateWatchDeps;
    /** When each certificate was warned of (monotonic), by its owner and its end. */
    readonly #warnedMs = new Map<string, number>();
    #certificates: readonly PresentedCertificate[] = [];
    #timer: Timer | undefined;

    constructor(deps: CertificateWatchDeps) {
        this.#deps = deps;
    }

    /** A connection is open that was secured with these; none without TLS. */
    connected(certificates: readonly PresentedCertificate[]): void {
        this.#certificates = [...certificates].sort((a, b) => a.expiresAtMs - b.expiresAtMs);
        this.#look();
    }

    /** The connection is gone. What was known of its certificates stays known. */
    disconnected(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    /** The certificates of the last connection, the one that ends first at the beginning. */
    get certificates(): readonly CertificateView[] {
        const nowMs = this.#deps.clock.now();
        return this.#certificates.map(({ whose, expiresAtMs }) => ({
            whose,
            expiresAt: new Date(expiresAtMs).toISOString(),
            // Not -0, which JSON has as 0.
            daysLeft: Math.ceil((expiresAtMs - nowMs) / dayMs) + 0,
        }));
    }

    #look(): void {
        this.disconnected();
        if (this.#certificates.length === 0) return;
        const nowMs = this.#deps.clock.monotonicMs();
        for (const [key, warnedMs] of this.#warnedMs) if (nowMs - warnedMs >= dayMs) this.#warnedMs.delete(key);
        for (const certificate of this.certificates) {
            const key = `${certificate.whose} ${certificate.expiresAt}`;
            if (certificateThreshold(certificate) === "far" || this.#warnedMs.has(key)) continue;
            this.#warnedMs.set(key, nowMs);
            this.#deps.warn(warning(certificate));
        }
        this.#timer = this.#deps.clock.setTimer(lookEveryMs, () => this.#look());
    }
}

/** A certificate that secures the connection, for people and machines. */
export interface CertificateView {
    readonly whose: PresentedCertificate["whose"];
    /** ISO 8601. */
    readonly expiresAt: string;
    /** The days begun until then; 0 or less when it has expired. */
    readonly daysLeft: number;
}

/** `far` = valid for long; `soon` = it is to be renewed; `expired`. */
export function certificateThreshold({ daysLeft }: CertificateView): "far" | "soon" | "expired" {
    if (daysLeft <= 0) return "expired";
    return daysLeft <= warnDays ? "soon" : "far";
}

/** What the watch works with. */
export interface CertificateWatchDeps {
    readonly clock: Clock;
    warn(text: string): void;
}

function warning(certificate: CertificateView): string {
    const { whose, daysLeft } = certificate;
    const date = certificate.expiresAt.slice(0, 10);
    if (certificateThreshold(certificate) === "expired") {
        if (whose === "server") return translate("gateway.serverCertificateExpired", { date });
        return translate("gateway.clientCertificateExpired", { date });
    }
    if (whose === "server") return translate("gateway.serverCertificateEnds", { date, days: daysLeft });
    return translate("gateway.clientCertificateEnds", { date, days: daysLeft });
}
