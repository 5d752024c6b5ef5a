import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import vm from "node:vm";
import { isRecord } from "../../../src/protocol/json";
import { requireRecord } from "../records";

/** The package's root: tests run from it. */
export const root = process.cwd();

/** The five node types, in the order of the palette. */
export const nodeTypes = ["gateway-config", "device-event-out", "device-command-in", "gateway-notify-in", "dm-responder"] as const;
/** The name of a node type. */
export type NodeType = (typeof nodeTypes)[number];

/** The node types that the package registers. */
export const registeredTypes: readonly NodeType[] = nodeTypes.filter((type) => {
    const manifest = requireRecord(JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")));
    return type in requireRecord(requireRecord(manifest["node-red"]).nodes);
});

/** A validator, as the editor calls it. */
export type Validator = (this: unknown, value: unknown, options: object) => unknown;

/** A property of a node type, as its form declares it. */
export interface PropertyDefinition {
    value?: unknown;
    type?: string;
    required?: boolean;
    validate?: Validator;
}

/** What a form gives to `RED.nodes.registerType`. */
export interface Definition {
    category: string;
    color: string;
    icon: string;
    inputs?: number;
    outputs?: number;
    defaults: Record<string, PropertyDefinition>;
    credentials: Record<string, PropertyDefinition>;
    /** Calls one of the definition's functions, such as `label`, for a node. */
    call(name: string, node: object, ...args: unknown[]): unknown;
}

const formModules = path.join(root, "resources", "forms");
const load = createRequire(__filename);

/** The languages there are catalogues for; the first is the reference. */
export const languages = ["en-US", ...readdirSync(path.join(root, "nodes", "locales")).filter((name) => name !== "en-US")];

/** The html file of a node type. */
export function readForm(type: NodeType): string {
    return readFileSync(path.join(root, "nodes", `${type}.html`), "utf8");
}

/** The template that becomes the dialog, with its rows written out. */
export function readTemplate(type: NodeType): string {
    const template = new RegExp(`<script type="text/html" data-template-name="${type}">([\\s\\S]*?)</script>`).exec(readForm(type));
    if (!template?.[1]) throw new Error(`${type} has no template`);
    return String(callFormModule("rows", "writeRows", type, template[1]));
}

/**
 * Calls a function of a module that the forms share, by its name or by those of an object and its member. A browser loads these
 * modules as they are, and so does Node.js.
 */
export function callFormModule(name: string, member: string, ...args: unknown[]): unknown {
    let called: unknown = loadFormModule(name);
    for (const part of member.split(".")) called = Reflect.get(Object(called), part);
    if (typeof called !== "function") throw new Error(`${name}.mjs has no ${member}()`);
    return Reflect.apply(called, undefined, args);
}

function loadFormModule(name: string): unknown {
    return load(path.join(formModules, `${name}.mjs`));
}

/** The help of a node type in one language. */
export function readHelp(language: string, type: NodeType): string {
    const file = path.join(root, "nodes", "locales", language, `${type}.html`);
    const help = existsSync(file)
        ? new RegExp(`^<script type="text/markdown" data-help-name="${type}">\\n([\\s\\S]*?)</script>\\n$`).exec(readFileSync(file, "utf8"))
        : null;
    if (!help?.[1]) throw new Error(`${language}: ${type} has no help`);
    return help[1];
}

/** A catalogue, flat: full keys (`type.group.name`) and their texts. */
export function readCatalogue(language: string, type: NodeType): Map<string, string> {
    return readFlat(path.join(root, "nodes", "locales", language, `${type}.json`));
}

/** The catalogue of the panel in the sidebar. */
export function readPanelCatalogue(language: string): Map<string, string> {
    return readFlat(path.join(root, "plugins", "locales", language, "gateway-panel.json"));
}

/** The scripts of the panel. */
export function readPanelScripts(): string {
    return readScripts(path.join(root, "resources", "panel"));
}

function readFlat(file: string): Map<string, string> {
    const flat = new Map<string, string>();
    const walk = (value: unknown, key: string): void => {
        if (typeof value === "string") flat.set(key, value);
        else for (const [name, inner] of Object.entries(requireRecord(value))) walk(inner, key === "" ? name : `${key}.${name}`);
    };
    walk(JSON.parse(readFileSync(file, "utf8")), "");
    return flat;
}

/** The text of the modules that the forms share. */
export function readSharedScripts(): string {
    return readScripts(formModules);
}

function readScripts(folder: string): string {
    const names = readdirSync(folder).filter((name) => /\.m?js$/.test(name));
    return names.map((name) => readFileSync(path.join(folder, name), "utf8")).join("\n");
}

/** The editor as far as a form needs it before its dialog opens: texts, types and no page. */
export class FormHost {
    readonly definitions = new Map<string, Definition>();
    /** The gateways that nodes can choose, by their id. */
    readonly gateways = new Map<string, object>();
    readonly #language: string;
    readonly #editor: object;

    constructor(language = "en-US") {
        this.#language = language;
        const nothing = { length: 0, text: () => nothing };
        this.#editor = {
            RED: {
                _: (key: string, parameters?: object) => this.translate(key, parameters),
                nodes: {
                    registerType: (type: string, definition: unknown) => this.#register(type, definition),
                    node: (id: string) => this.gateways.get(id) ?? null,
                },
                utils: { validateTypedProperty: (value: unknown) => value !== "!" },
            },
            $: () => nothing,
        };
        loadFormModule("forms");
        for (const type of nodeTypes) {
            for (const script of readForm(type).matchAll(/<script type="text\/javascript">([\s\S]*?)<\/script>/g)) {
                this.#inEditor(() => vm.runInThisContext(script[1] ?? ""));
            }
        }
    }

    /** The definition that a form registered. */
    definition(type: NodeType): Definition {
        const definition = this.definitions.get(type);
        if (!definition) throw new Error(`${type} is not registered`);
        return definition;
    }

    /** A node with the defaults of its type, changed by `properties`, as validators see it. */
    node(type: NodeType, properties: object = {}): Record<string, unknown> {
        const { defaults, category } = this.definition(type);
        const values = Object.fromEntries(Object.entries(defaults).map(([name, property]) => [name, property.value]));
        const translate = (key: string): string => this.translate(`/${type}:${key}`);
        return { id: "1", type, _def: { category, defaults }, _: translate, ...values, ...properties };
    }

    /** What the editor would say of one property: true, or the reason. */
    validate(type: NodeType, property: string, value: unknown, properties: object = {}): unknown {
        const validator = this.definition(type).defaults[property]?.validate;
        if (!validator) throw new Error(`${type}.${property} has no validator`);
        return this.#inEditor(() => validator.call(this.node(type, { ...properties, [property]: value }), value, {}));
    }

    /** The text of a key as the editor finds it; a key that is missing is an error. */
    translate(key: string, parameters: object = {}): string {
        const [namespace, name] = key.split(":");
        const type = nodeTypes.find((candidate) => namespace?.endsWith(`/${candidate}`));
        const text = type && name ? readCatalogue(this.#language, type).get(name) : undefined;
        if (text === undefined) throw new Error(`no text for ${key}`);
        return text.replace(/__(\w+)__/g, (_whole, parameter: string) =>
            String(Object.entries(parameters).find(([n]) => n === parameter)?.[1]),
        );
    }

    /** The scripts of the forms find the editor in the global object, as in a page; several hosts take turns. */
    #inEditor<T>(run: () => T): T {
        Object.assign(globalThis, this.#editor);
        try {
            return run();
        } finally {
            for (const name of Object.keys(this.#editor)) Reflect.deleteProperty(globalThis, name);
        }
    }

    #register(type: string, definition: unknown): void {
        const { category, color, icon, inputs, outputs, defaults, credentials, ...rest } = requireRecord(definition);
        this.definitions.set(type, {
            category: String(category),
            color: String(color),
            icon: String(icon),
            ...(typeof inputs === "number" ? { inputs } : {}),
            ...(typeof outputs === "number" ? { outputs } : {}),
            defaults: properties(defaults),
            credentials: properties(credentials ?? {}),
            call: (name, node, ...args) => {
                const member = rest[name];
                if (typeof member !== "function") throw new Error(`${type} has no ${name}()`);
                return this.#inEditor(() => Reflect.apply(member, node, args));
            },
        });
    }
}

function properties(value: unknown): Record<string, PropertyDefinition> {
    const entries = Object.entries(requireRecord(value)).map(([name, property]) => [name, isRecord(property) ? property : {}]);
    return Object.fromEntries(entries);
}
