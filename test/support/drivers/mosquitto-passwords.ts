import { pbkdf2Sync, randomBytes } from "node:crypto";

const iterations = 101;

/** A password file for Mosquitto 2, with few iterations: it is for tests. */
export function passwordFile(passwords: Readonly<Record<string, string>>): string {
    return Object.entries(passwords)
        .map(([user, password]) => {
            const salt = randomBytes(12);
            const hash = pbkdf2Sync(password, salt, iterations, 64, "sha512");
            return `${user}:$7$${iterations}$${salt.toString("base64")}$${hash.toString("base64")}\n`;
        })
        .join("");
}
