import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { requireRecord } from "../records";

/** The package as npm would publish it, installed into an empty user directory as the palette does it. */
export interface InstalledPackage {
    /** The paths in the tarball. */
    readonly files: readonly string[];
    readonly tarballBytes: number;
    readonly userDir: string;
}

let installed: InstalledPackage | undefined;

/** The installed package; the first call packs and installs it, the end of the process removes it. dist/ was built before. */
export function installedPackage(): InstalledPackage {
    installed ??= install();
    return installed;
}

function install(): InstalledPackage {
    const directory = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-package-"));
    process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
    const [packed] = JSON.parse(npm(process.cwd(), "pack", "--json", "--ignore-scripts", "--pack-destination", directory));
    const { filename, files, size } = requireRecord(packed);
    if (!Array.isArray(files)) throw new Error("npm pack lists no files");
    const userDir = path.join(directory, "user");
    mkdirSync(userDir);
    writeFileSync(path.join(userDir, "package.json"), JSON.stringify({ name: "user", private: true }));
    const quiet = ["--no-audit", "--no-update-notifier", "--no-fund"];
    npm(userDir, "install", ...quiet, "--omit=dev", "--engine-strict", path.join(directory, String(filename)));
    return { files: files.map((file) => String(requireRecord(file).path)), tarballBytes: Number(size), userDir };
}

function npm(directory: string, ...args: string[]): string {
    const shell = process.platform === "win32";
    return execFileSync("npm", args, { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], shell });
}
