import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const root = process.cwd();

/** What each layer may import, beside itself. `npm:` names are packages; Node's own modules are allowed everywhere they fit. */
const allowed: Readonly<Record<string, readonly string[]>> = {
    // The texts of the errors stand beside those of the forms, where Node-RED looks for them.
    "src/i18n": ["nodes/locales"],
    "src/errors": ["src/i18n"],
    "src/clock": [],
    "src/chance": [],
    "src/settings": ["src/i18n", "src/errors", "src/protocol"],
    "src/recent-items": ["src/i18n"],
    "src/rate-limiter": [],
    "src/log-limiter": ["src/clock"],
    "src/protocol": ["src/i18n", "src/errors"],
    "src/routing": [],
    "src/outbox": ["src/i18n", "src/errors", "src/chance", "src/clock", "src/rate-limiter", "src/protocol"],
    "src/devices": ["src/i18n", "src/errors", "src/clock", "src/recent-items", "src/protocol"],
    "src/connection": ["src/i18n", "src/errors", "src/chance", "src/clock", "src/rate-limiter", "src/protocol", "src/routing"],
    "src/management": ["src/i18n", "src/errors", "src/clock", "src/rate-limiter", "src/protocol"],
    "src/gateway": [
        "src/i18n",
        "src/errors",
        "src/chance",
        "src/clock",
        "src/settings",
        "src/recent-items",
        "src/log-limiter",
        "src/protocol",
        "src/routing",
        "src/outbox",
        "src/devices",
        "src/connection",
        "src/management",
        // Loaded lazily, only for a gateway on the built-in simulator.
        "src/simulator",
    ],
    "src/simulator": [],
    "src/node-red": [
        "src/i18n",
        "src/errors",
        "src/clock",
        "src/rate-limiter",
        "src/settings",
        "src/log-limiter",
        "src/recent-items",
        "src/protocol",
        "src/gateway",
        "src/management",
        "src/devices",
        "npm:node-red",
    ],
    nodes: ["src/i18n", "src/errors", "src/clock", "src/protocol", "src/gateway", "src/node-red", "src/management"],
};

/** Packages that may be imported in one place only. */
const packageOwners: Readonly<Record<string, RegExp>> = {
    // The client stripped down, and what drives it; nothing else knows that it is MQTT.js.
    mqtt: /^src\/connection\/mqtt-(client|transport)\.ts$/,
    ws: /^src\/(connection|simulator)\//,
    "mqtt-packet": /^src\/(simulator\/|connection\/mqtt-transport\.ts$)/,
    "node-red": /^src\/node-red\//,
    "prom-client": /^src\/node-red\/admin\/prometheus\.ts$/,
};

/**
 * Classes that own a state: no other file of the folder assigns the fields that this file declares in the class, except the links of a list,
 * which belong to the list.
 */
const stateOwners: readonly StateOwner[] = [
    {
        className: "OutboxEntry",
        file: "src/outbox/queue/outbox-entry.ts",
        folder: "src/outbox",
        linkOwners: {
            "src/outbox/queue/entry-list.ts": ["list", "next", "previous"],
            "src/outbox/storing/unsaved-events.ts": ["isUnsaved", "nextUnsaved", "previousUnsaved", "storeFromMs"],
        },
    },
    { className: "DeviceQueue", file: "src/outbox/queue/device-queue.ts", folder: "src/outbox", linkOwners: {} },
    { className: "DeviceBacklog", file: "src/outbox/queue/device-queue.ts", folder: "src/outbox", linkOwners: {} },
];

interface StateOwner {
    readonly className: string;
    readonly file: string;
    readonly folder: string;
    readonly linkOwners: Readonly<Record<string, readonly string[]>>;
}

interface Import {
    readonly file: string;
    readonly target: string;
    readonly isPackage: boolean;
}

function sourceFiles(directory: string): string[] {
    return readdirSync(path.join(root, directory), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => path.posix.join(directory, name.split(path.sep).join("/")));
}

function importsOf(file: string): Import[] {
    const text = readFileSync(path.join(root, file), "utf8");
    const specifiers = [...text.matchAll(/(?:^(?:import|export|\}) [^"]*?from |^import |\bimport\(|\brequire\()"([^"]+)"/gm)].map(
        (match) => match[1] ?? "",
    );
    return specifiers
        .filter((specifier) => !specifier.startsWith("node:"))
        .map((specifier) => {
            const isPackage = !specifier.startsWith(".");
            return { file, isPackage, target: isPackage ? specifier : path.posix.join(path.posix.dirname(file), specifier) };
        });
}

function layerOf(file: string): string {
    if (file.startsWith("nodes/locales/")) return "nodes/locales";
    return file.startsWith("nodes/") ? "nodes" : file.split("/").slice(0, 2).join("/").replace(/\.ts$/, "");
}

/** The files of the first circle of imports that is found among these files; empty when there is none. */
function circle(among: readonly string[]): readonly string[] {
    const clear = new Set<string>();
    const visit = (file: string, way: readonly string[]): readonly string[] => {
        if (way.includes(file)) return way.slice(way.indexOf(file));
        if (clear.has(file)) return [];
        for (const { target } of imports.filter((each) => each.file === file && among.includes(`${each.target}.ts`))) {
            const found = visit(`${target}.ts`, [...way, file]);
            if (found.length > 0) return found;
        }
        clear.add(file);
        return [];
    };
    for (const file of among) {
        const found = visit(file, []);
        if (found.length > 0) return found;
    }
    return [];
}

/** The names of the fields of a class that can be assigned from outside. */
function mutableFields(text: string, className: string): string[] {
    const body = text.slice(text.indexOf(`class ${className} `));
    const end = body.search(/^}/m);
    return [...body.slice(0, end).matchAll(/^ {4}([a-z]\w*)(?:: [^=;(]+)?(?: =[^>].*)?;$/gm)].map(([, name = ""]) => name);
}

/** Where a file assigns one of these fields of something other than `this`. */
function assignments(file: string, fields: readonly string[]): { field: string; at: string }[] {
    const assignment = new RegExp(`(?<!\\bthis)(?:\\.|\\?\\.)(${fields.join("|")})\\s*(?:[-+*/%&|^?]{0,2}=(?!=|>)|\\+\\+|--)`, "g");
    return readFileSync(path.join(root, file), "utf8")
        .split("\n")
        .flatMap((line, index) => [...line.matchAll(assignment)].map(([, field = ""]) => ({ field, at: `${file}:${index + 1}` })));
}

const files = [...sourceFiles("src"), ...sourceFiles("nodes")];
const imports = files.flatMap(importsOf);

describe("architecture", () => {
    it("the rules of the architecture name existing source files", () => assert.ok(files.length > 10 && imports.length > 10));

    it("every layer has a rule", () => {
        assert.deepEqual(
            [...new Set(files.map(layerOf))].filter((layer) => !(layer in allowed)),
            [],
        );
    });

    it("imports go one way", () => {
        const wrong = imports
            .filter(({ isPackage }) => !isPackage)
            .filter(({ file, target }) => layerOf(target) !== layerOf(file) && !allowed[layerOf(file)]?.includes(layerOf(target)));
        assert.deepEqual(wrong, []);
    });

    it("src has no circle of imports, types included", () => {
        assert.deepEqual(circle(files.filter((file) => file.startsWith("src/"))), []);
    });

    it("a class stands before the types of its file, unless a function comes first", () => {
        const isLate = (file: string) => {
            const declarations = [
                ...readFileSync(path.join(root, file), "utf8").matchAll(/^(?:export )?(?:async )?(?:abstract )?(\w+) \w/gm),
            ];
            const kinds = declarations.map(([, kind = ""]) => kind).filter((kind) => /^(class|interface|type|function)$/.test(kind));
            const first = kinds.indexOf("class");
            return first > 0 && !kinds.slice(0, first).includes("function");
        };
        assert.ok(files.length > 100);
        assert.deepEqual(files.filter(isLate), []);
    });

    it("each package is imported only where it belongs", () => {
        const wrong = imports.filter(({ isPackage, file, target }) => isPackage && !packageOwners[target]?.test(file));
        assert.deepEqual(wrong, []);
    });

    it("a gateway does not load the simulator unless it uses it, nor the metrics library before the first request for metrics", () => {
        const nodes = path.join(__dirname, "../../nodes");
        const script = `
            for (const file of require("node:fs").readdirSync(${JSON.stringify(nodes)})) {
                if (file.endsWith(".js")) require(${JSON.stringify(nodes)} + "/" + file);
            }
            console.log(Object.keys(require.cache).join("\\n"));
        `;
        const { stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
        const loaded = stdout.split("\n");
        assert.ok(loaded.some((file) => file.endsWith("dm-responder.js")));
        assert.deepEqual(
            loaded.filter((file) => /[/\\](?:src[/\\]simulator|node_modules[/\\]prom-client)[/\\]/.test(file)),
            [],
        );
    });

    it("comments cite only sections of the protocol that exist", () => {
        const sections = [...readFileSync(path.join(root, "docs", "protocol.md"), "utf8").matchAll(/^## (.+)$/gm)].map(([, name]) => name);
        const named = files.flatMap((file) => {
            const text = readFileSync(path.join(root, file), "utf8").replace(/\n\s*\* /g, " ");
            return [...text.matchAll(/Protocol, section ([^.]+)\./g)].map(([, name]) => name);
        });
        assert.ok(named.length > 10);
        assert.deepEqual(
            named.filter((name) => !sections.includes(name)),
            [],
        );
    });

    for (const { className, file, folder, linkOwners } of stateOwners) {
        it(`the fields of ${className} are assigned in ${file} only`, () => {
            const fields = mutableFields(readFileSync(path.join(root, file), "utf8"), className);
            assert.ok(fields.length >= 5, `${className} declares only ${fields.join(", ")}`);
            const assigned = files
                .filter((other) => other.startsWith(`${folder}/`) && other !== file)
                .flatMap((other) => assignments(other, fields).filter(({ field }) => !linkOwners[other]?.includes(field)));
            assert.deepEqual(assigned, []);
        });
    }

    it("type casts occur only where Node-RED's types need them", () => {
        const casts = files
            .filter((file) => !file.startsWith("src/node-red/"))
            .flatMap((file) =>
                readFileSync(path.join(root, file), "utf8")
                    .split("\n")
                    .map((line, index) => ({
                        line: line.replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '""').replace(/\/\/.*|^\s*\*.*|\/\*.*/, ""),
                        at: `${file}:${index + 1}`,
                    }))
                    .filter(({ line }) => /\bas (?!const\b)[A-Za-z{(]/.test(line) && !/^\s*(import|export) |^\s+\w+ as \w+,?$/.test(line)),
            )
            .map(({ at }) => at);
        assert.deepEqual(casts, []);
    });
});
