// What the five forms share in the editor: the validation rules, the topic previews and small form helpers.
// Plain browser code without a build step. The rules repeat the runtime's; a test compares the two.
((root) => {
    "use strict";

    if (root.wiotpGateway) return;

    const moduleName = "node-red-contrib-wiotp-gateway";

    /** The text of a key of one node type's catalogue, in the editor's language. */
    function text(type, key, parameters) {
        return root.RED._(`${moduleName}/${type}:${type}.${key}`, parameters);
    }

    /** The ids of the nodes whose dialogs are open, so that a validator reads the form and not what is stored. */
    const open = new Set();

    function prefix(node) {
        return node._def && node._def.category === "config" ? "node-config-input" : "node-input";
    }

    function field(node, property) {
        return root.$(`#${prefix(node)}-${property}`);
    }

    /** The value of a property: what the open form shows, else what the node holds. */
    function current(node, property) {
        if (open.has(node.id)) {
            const input = field(node, property);
            if (input.length > 0) return input.is(":checkbox") ? input.prop("checked") : input.val();
        }
        return node[property];
    }

    // --- Rules: each returns undefined when the value is good, else the key of the reason and its parameters.

    const isVariable = (value) => typeof value === "string" && /^(\$\{\S+\}|\$\(\S+\))$/.test(value);
    const isBlank = (value) => value === undefined || value === null || value === "";

    /** Numbers, as text; a blank one stands for the default. `above`: more than `min`, not equal to it. */
    const ranges = {
        port: { min: 1, max: 65535, whole: true },
        keepAlive: { min: 1, max: 3600, whole: true },
        outboxMaxMb: { min: 0, max: 1000000, above: true },
        outboxMaxAge: { min: 0, max: 87600, above: true },
        maxRate: { min: 0, max: 1000000 },
        maxInFlight: { min: 1, max: 1000, whole: true },
        registrationLimit: { min: 1, max: 128, whole: true },
        registrationBackoff: { min: 1, max: 86400 },
        ttl: { min: 0, max: 315360000, above: true },
        lifetime: { min: 3600, max: 315360000, whole: true, zero: true },
        timeout: { min: 1, max: 3600 },
    };

    const idPattern = /^[A-Za-z0-9_.-]{1,36}$/;
    const levelPattern = /^(?:(?![\u0000-\u001f/+#\p{Noncharacter_Code_Point}\p{Surrogate}]).)+$/su;
    const maxLevelBytes = 16384;

    const rules = {
        required: (value) => (isBlank(value) ? { key: "required" } : undefined),
        id: (value) => (idPattern.test(value ?? "") ? undefined : { key: "id" }),
        level(value) {
            const good = levelPattern.test(value ?? "") && new TextEncoder().encode(value).length <= maxLevelBytes;
            return good ? undefined : { key: "level" };
        },
        optionalLevel: (value) => (isBlank(value) ? undefined : rules.level(value)),
        idFilter: (value) => (isBlank(value) || value === "+" ? undefined : rules.id(value)),
        levelFilter: (value) => (isBlank(value) || value === "+" ? undefined : rules.level(value)),
        host(value) {
            const host = String(value ?? "");
            if (host === "") return { key: "required" };
            const ipv6 = /^[0-9A-Fa-f:.]+$/.test(host) && host.split(":").length > 2;
            return ipv6 || /^[^\s/:@?#[\]]+$/.test(host) ? undefined : { key: "host" };
        },
        path: (value) => (/^\/[^\s?#]*$/.test(value) ? undefined : { key: "path" }),
        range(value, property) {
            const { min, max, whole, above, zero } = ranges[property];
            const typed = String(value ?? "").trim();
            if (typed === "") return undefined;
            const number = /^\d+(\.\d+)?$/.test(typed) && !(whole && typed.includes(".")) ? Number(typed) : Number.NaN;
            if (zero && number === 0) return undefined;
            if (number <= max && (above ? number > min : number >= min)) return undefined;
            return { key: zero ? "rangeOrZero" : above ? "rangeAbove" : whole ? "wholeRange" : "range", min, max };
        },
        // Maximo takes encrypted connections only.
        transport: (value, _property, node) =>
            current(node, "platform") === "maximo" && value !== "tls" && value !== "wss" ? { key: "transport" } : undefined,
        jsonObject(value) {
            if (isBlank(value)) return undefined;
            try {
                const parsed = JSON.parse(value);
                if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return undefined;
            } catch {
                // Falls through to the reason below.
            }
            return { key: "jsonObject" };
        },
        // The platform takes only strings as the device's information.
        jsonTexts(value) {
            const failure = rules.jsonObject(value);
            if (failure || isBlank(value)) return failure;
            return Object.values(JSON.parse(value)).every((item) => typeof item === "string") ? undefined : { key: "jsonTexts" };
        },
        bundles(value) {
            const ids = String(value ?? "")
                .split(",")
                .map((id) => id.trim());
            if (ids.length === 1 && ids[0] === "") return undefined;
            return ids.every((id) => /^[A-Za-z0-9_.-]{1,255}$/.test(id)) ? undefined : { key: "bundles" };
        },
    };

    /**
     * True, or the reason in words. Values are never part of a reason: the editor shows some reasons as html.
     */
    function check(node, property, rule, value) {
        if (isVariable(value)) return true;
        const failure = rules[rule](value, property, node);
        if (failure === undefined) return true;
        const label = text(node.type, `label.${property}`);
        return text("gateway-config", `rule.${failure.key}`, { label, min: failure.min, max: failure.max });
    }

    /** As `check`, for a TypedInput: only a plain string can be judged before the flow runs; an expression must parse. */
    function checkTyped(node, property, rule, value, options) {
        const type = current(node, `${property}Type`);
        if (type === "str" || type === undefined) return check(node, property, rule, value);
        const result = isBlank(value)
            ? text("gateway-config", "rule.required", { label: text(node.type, `label.${property}`) })
            : root.RED.utils.validateTypedProperty(value, type, options);
        return result === false ? text("gateway-config", "rule.expression", { label: text(node.type, `label.${property}`) }) : result;
    }

    // --- Topics, for the previews only: placeholders stand for what is known when a message comes.

    /** What stands for a TypedInput in a preview: the string itself, or where it will come from. */
    function placeholder(value, type) {
        if (type === undefined || type === "str") return isBlank(value) ? "…" : String(value);
        return type === "jsonata" ? "{jsonata}" : `{${type}.${isBlank(value) ? "…" : value}}`;
    }

    function identityOf(gateway) {
        const known = gateway ?? {};
        return {
            orgId: placeholder(known.orgId),
            typeId: placeholder(known.typeId),
            deviceId: placeholder(known.deviceId),
        };
    }

    const wild = (value) => (isBlank(value) ? "+" : value);

    const topics = {
        clientId: ({ orgId, typeId, deviceId }) => `g:${placeholder(orgId)}:${placeholder(typeId)}:${placeholder(deviceId)}`,
        event: ({ typeId, deviceId, eventId, format }) => `iot-2/type/${typeId}/id/${deviceId}/evt/${eventId}/fmt/${format}`,
        commands: ({ typeId, deviceId, commandId, format }) =>
            `iot-2/type/${wild(typeId)}/id/${wild(deviceId)}/cmd/${wild(commandId)}/fmt/${wild(format)}`,
        notifications: ({ typeId, deviceId }) => `iot-2/type/${typeId}/id/${deviceId}/notify`,
        requests: ({ typeId, deviceId }) => `iotdm-1/type/${wild(typeId)}/id/${wild(deviceId)}/#`,
    };

    /** The address the gateway will dial, as shown in the form. */
    function address({ platform, host, port, transport, path }) {
        const name = platform === "simulator" ? "127.0.0.1" : placeholder(host);
        const number = isBlank(port) ? defaultPort(platform, transport) : port;
        const scheme = { tls: "mqtts", tcp: "mqtt", wss: "wss", ws: "ws" }[platform === "simulator" ? "tcp" : transport] ?? "mqtt";
        return `${scheme}://${name}:${number}${/^wss?$/.test(scheme) ? path || "/" : ""}`;
    }

    /** The port a blank one stands for. */
    function defaultPort(platform, transport) {
        if (platform === "simulator") return "18830";
        if (platform === "maximo") return "443";
        return { tls: "8883", tcp: "1883", wss: "443", ws: "80" }[transport] ?? "8883";
    }

    // --- Form helpers

    /** A select or checkbox cannot show `${NAME}`: where a flow holds one, a text input takes its place, so saving keeps it. */
    function keepVariables(node) {
        for (const property of Object.keys(node._def.defaults)) {
            const input = field(node, property);
            if (!isVariable(node[property]) || !(input.is("select") || input.is(":checkbox"))) continue;
            if (node._def.defaults[property].type) continue;
            const replacement = root.$('<input type="text">').attr("id", input.attr("id")).css("width", "70%").val(node[property]);
            input.replaceWith(replacement);
        }
    }

    /**
     * What to offer for a text that was typed. The text itself comes first, because Tab takes the first one: completing
     * `pump-1` must not turn it into `pump-10`.
     */
    function offer(typed, values) {
        const wanted = String(typed).toLowerCase();
        const matches = values.filter((value) => value !== typed && value.toLowerCase().includes(wanted));
        return matches.length === 0 || typed === "" ? matches : [typed, ...matches];
    }

    /** Suggests some of the given values while the user types; anything else may be typed as well. */
    function suggestFrom(input, values) {
        input.autoComplete({ minLength: 0, search: (typed, done) => done(offer(typed, values)) });
    }

    /** Asks the deployed gateway what it knows of; without an answer there are no suggestions. */
    function searchInventory(node, kind) {
        return (typed, done) => {
            const gateway = selectedGateway(node);
            if (!gateway) return done([]);
            const query = { kind, q: typed, ...(kind === "deviceId" ? { typeId: current(node, "typeId") } : {}) };
            root.$.getJSON(`gateway-config/${encodeURIComponent(gateway.id)}/inventory`, query)
                .done((values) => done(offer(typed, Array.isArray(values) ? values.map(String) : [])))
                .fail(() => done([]));
        };
    }

    /** Suggests what the gateway has seen lately, in a plain text input. */
    function suggestKnown(node, property) {
        field(node, property).autoComplete({ minLength: 0, search: searchInventory(node, property) });
    }

    /** The string type of a TypedInput, with suggestions of what the gateway has seen lately. */
    function knownString(node, property) {
        return { value: "str", label: "string", icon: "red/images/typedInput/az.svg", autoComplete: searchInventory(node, property) };
    }

    /** A TypedInput type for an optional JSON object, with the editor's own JSON dialog. */
    function jsonType(node, property, rule) {
        return {
            value: "json",
            label: "JSON",
            icon: "red/images/typedInput/json.svg",
            validate: (value) => check(node, property, rule, value) === true,
            expand() {
                root.RED.editor.editJSON({ value: this.value(), complete: (value) => this.value(value), focus: true });
            },
        };
    }

    /** The gateway-config node that the form selects, if there is one. */
    function selectedGateway(node) {
        return root.RED.nodes.node(current(node, "gateway")) ?? undefined;
    }

    /** Starts a form: validators read it from now on, and `update` runs now and at every change in it. */
    function start(node, update) {
        open.add(node.id);
        keepVariables(node);
        const form = field(node, "name").closest("form");
        form.on("change.wiotp-gateway keyup.wiotp-gateway", update);
        update();
    }

    /** Ends a form, saved or not. */
    function end(node) {
        open.delete(node.id);
        field(node, "name").closest("form").off(".wiotp-gateway");
    }

    /** Shows or hides the row of a property. */
    function showRow(node, property, visible) {
        field(node, property).closest(".form-row").toggle(visible);
    }

    root.wiotpGateway = {
        text,
        ranges,
        rules,
        check,
        checkTyped,
        isVariable,
        current,
        field,
        placeholder,
        identityOf,
        topics,
        address,
        defaultPort,
        suggestFrom,
        suggestKnown,
        knownString,
        jsonType,
        selectedGateway,
        start,
        end,
        showRow,
    };
})(globalThis);
