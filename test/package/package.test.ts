import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { installedPackage } from "../support/drivers/installed-package";
import { NodeRedProcess, nodeRedModules } from "../support/drivers/node-red-process";
import { brokenLinks, documentLinks } from "../support/markdown";
import { requireRecord } from "../support/records";

const root = process.cwd();
const manifest = requireRecord(JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")));
const packageName = String(manifest.name);
const nodeTypes = Object.keys(requireRecord(requireRecord(manifest["node-red"]).nodes));

/** What the forms and the panel load. The rules of the forms are there because the package was built before the tests. */
const resources = ["forms", "panel"].flatMap((folder) =>
    readdirSync(path.join(root, "resources", folder)).map((name) => `${folder}/${name}`),
);

describe("the package", () => {
    let files: readonly string[];
    let userDir: string;

    before(function () {
        this.timeout(180_000);
        ({ files, userDir } = installedPackage());
    });

    it("contains only the built code, the forms, the examples and the documents", () => {
        const allowed =
            /^(dist\/(nodes|plugins|src)\/.*\.(js|html|json|svg)|dist\/src\/.*\.d\.ts|examples\/.*\.json|resources\/.*|docs\/[\w-]+\.md|docs\/images\/[\w-]+\.(png|svg)|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md|LICENSE|package\.json)$/;
        assert.deepEqual(
            files.filter((file) => !allowed.test(file)),
            [],
        );
        for (const file of ["README.md", "LICENSE", "CHANGELOG.md"]) assert.ok(files.includes(file), file);
    });

    it("brings its documents, whose every link and heading is found offline", () => {
        const installed = path.join(userDir, "node_modules", packageName);
        const documents = files.filter((file) => file.endsWith(".md"));
        for (const page of readdirSync("docs").filter((name) => name.endsWith(".md"))) assert.ok(documents.includes(`docs/${page}`), page);
        const links = documentLinks(installed, documents);
        assert.ok(links.filter(({ target }) => target.endsWith(".png")).length > 5);
        assert.deepEqual(brokenLinks(installed, links), []);
    });

    it("brings each picture that a document shows, and no other, none of them over 100 KB", () => {
        const pictures = files.filter((file) => file.startsWith("docs/images/"));
        const shown = documentLinks(
            root,
            files.filter((file) => file.endsWith(".md")),
        ).map(({ target }) => target);
        assert.deepEqual(
            pictures.filter((picture) => !shown.includes(picture)),
            [],
        );
        assert.deepEqual(
            pictures.filter((picture) => statSync(picture).size > 100_000),
            [],
        );
    });

    it("contains the code, the form, and labels and help in every language for each node", () => {
        const languages = readdirSync(path.join(root, "nodes", "locales"));
        for (const type of nodeTypes) {
            const wanted = [`dist/nodes/${type}.js`, `dist/nodes/${type}.html`];
            for (const language of languages)
                wanted.push(`dist/nodes/locales/${language}/${type}.json`, `dist/nodes/locales/${language}/${type}.html`);
            assert.deepEqual(
                wanted.filter((file) => !files.includes(file)),
                [],
            );
        }
    });

    it("contains the scripts of the forms and the panel, and its labels in every language", () => {
        const languages = readdirSync(path.join(root, "plugins", "locales"));
        const scripts = resources.map((name) => `resources/${name}`);
        const labels = languages.map((language) => `dist/plugins/locales/${language}/gateway-panel.json`);
        assert.deepEqual(
            ["dist/plugins/gateway-panel.html", ...scripts, ...labels].filter((file) => !files.includes(file)),
            [],
        );
    });

    it("has at most six dependencies, none of them with an install script", () => {
        const dependencies = Object.keys(requireRecord(manifest.dependencies));
        assert.ok(dependencies.length <= 6, dependencies.join());
        const installed = readdirSync(path.join(userDir, "node_modules"), { recursive: true, encoding: "utf8" }).filter((name) =>
            /(^|[\\/])node_modules[\\/](@[^\\/]+[\\/])?[^\\/]+[\\/]package\.json$|^(@[^\\/]+[\\/])?[^\\/]+[\\/]package\.json$/.test(name),
        );
        assert.ok(installed.length > 5);
        const scripted = installed.filter((name) => {
            const { scripts } = requireRecord(JSON.parse(readFileSync(path.join(userDir, "node_modules", name), "utf8")));
            return ["preinstall", "install", "postinstall"].some((script) => scripts && script in requireRecord(scripts));
        });
        assert.deepEqual(scripted, []);
    });

    it("takes no more than docs/operation.md says: packages, and megabytes", () => {
        const text = readFileSync("docs/operation.md", "utf8");
        const [, packages, megabytes] = new RegExp(`^\\| \`${packageName}\` \\| (\\d+) \\| ([\\d.]+) \\|$`, "m").exec(text) ?? [];
        const lock = requireRecord(JSON.parse(readFileSync(path.join(userDir, "node_modules", ".package-lock.json"), "utf8")));
        assert.equal(Object.keys(requireRecord(lock.packages)).length, Number(packages));
        const entries = readdirSync(path.join(userDir, "node_modules"), { recursive: true, withFileTypes: true });
        const bytes = entries.filter((entry) => entry.isFile()).map((entry) => statSync(path.join(entry.parentPath, entry.name)).size);
        const total = bytes.reduce((sum, size) => sum + size, 0) / 1e6;
        assert.ok(total < Number(megabytes) * 1.1, `${total} MB`);
    });

    it("has at most 2.2 MB apart from documents and declarations", () => {
        const code = files.filter((file) => !/^docs\/|\.md$|\.d\.ts$/.test(file));
        const installed = path.join(userDir, "node_modules", packageName);
        const bytes = code.reduce((sum, file) => sum + statSync(path.join(installed, file)).size, 0);
        assert.ok(bytes < 2_200_000, `${bytes} bytes of code, forms and examples`);
    });

    for (const [version, module] of Object.entries(nodeRedModules)) {
        describe(`installed into an empty ${version}`, () => {
            let nodeRed: NodeRedProcess;

            before(async () => {
                nodeRed = await NodeRedProcess.start(module, { installedIn: userDir });
            });

            after(async () => nodeRed?.stop());

            const get = async (url: string, accept = "application/json"): Promise<Response> =>
                fetch(new URL(url, nodeRed.url), { headers: { accept } });

            it("registers every node type without an error", async () => {
                const sets: unknown[] = await (await get("nodes")).json();
                const own = sets.map(requireRecord).filter((set) => set.module === packageName);
                assert.deepEqual(own.flatMap((set) => set.types).sort(), [...nodeTypes].sort());
                assert.deepEqual(
                    own.filter((set) => set.err !== undefined || set.enabled !== true),
                    [],
                );
            });

            it("serves the scripts, and the panel's page, labels, and charts from where npm put the library", async () => {
                const pages = await (await get("plugins", "text/html")).text();
                assert.match(pages, /wiotp-gateway-panel/);
                for (const name of resources) {
                    const { status, headers } = await get(`resources/${packageName}/${name}`, "*/*");
                    // A browser takes a module of the right type only.
                    assert.match(String(headers.get("content-type")), name.endsWith(".css") ? /css/ : /javascript/, name);
                    assert.equal(status, 200);
                }
                const labels = requireRecord(await (await get("plugins/messages?lng=fr")).json());
                assert.ok(labels[`${packageName}/gateway-panel`]);
                const library = await get("wiotp-gateway/uplot.js", "*/*");
                assert.equal(library.status, 200);
                assert.match(await library.text(), /uPlot/);
            });

            it("serves forms, icons, labels and examples", async () => {
                const forms = await (await get("nodes", "text/html")).text();
                for (const type of nodeTypes) assert.match(forms, new RegExp(`data-template-name="${type}"`));
                const icons = requireRecord(await (await get("icons")).json())[packageName];
                assert.ok(Array.isArray(icons) && icons.length > 0);
                for (const type of nodeTypes) {
                    const catalogue = requireRecord(await (await get(`locales/${packageName}/${type}?lng=en-US`)).json());
                    assert.ok(catalogue[type], `no labels for ${type}`);
                }
                const examples = await (await get("library/examples/flows")).text();
                assert.match(examples, new RegExp(packageName));
            });
        });
    }
});
