import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, as PEM. */
export interface Credential {
    readonly cert: string;
    readonly key: string;
}

/** What a certificate says of its owner. */
export interface CertificateRequest {
    readonly commonName: string;
    /** Entries of the subject's alternative names, e.g. `DNS:localhost`. */
    readonly names?: readonly string[];
    /** Days from now; -1 makes one that has expired. */
    readonly days?: number;
}

/** A certificate authority of a test, made with openssl. */
export class TestAuthority {
    /** Where its files are; removed with them. */
    readonly directory = mkdtempSync(join(tmpdir(), "certificates-"));
    readonly cert: string;
    #issued = 0;

    constructor(commonName: string) {
        this.#makeKey("ca");
        this.#openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", `/CN=${commonName}`, "-days", "2", "-out", "ca.crt");
        this.cert = this.#read("ca.crt");
    }

    /** A certificate signed by this authority. */
    issue({ commonName, names = [], days = 2 }: CertificateRequest): Credential {
        const name = `issued${++this.#issued}`;
        this.#makeKey(name);
        this.#openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${commonName}`, "-out", `${name}.csr`);
        writeFileSync(join(this.directory, `${name}.ext`), names.length === 0 ? "" : `subjectAltName=${names.join(",")}\n`);
        const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", `${name}.ext`, "-days", String(days)];
        this.#openssl("x509", "-req", "-in", `${name}.csr`, ...signed, "-out", `${name}.crt`);
        return { cert: this.#read(`${name}.crt`), key: this.#read(`${name}.key`) };
    }

    /** Removes the files. */
    remove(): void {
        rmSync(this.directory, { recursive: true, force: true });
    }

    #makeKey(name: string): void {
        this.#openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
    }

    #read(file: string): string {
        return readFileSync(join(this.directory, file), "utf8");
    }

    #openssl(...options: string[]): void {
        execFileSync("openssl", options, { cwd: this.directory, stdio: ["ignore", "ignore", "pipe"] });
    }
}
