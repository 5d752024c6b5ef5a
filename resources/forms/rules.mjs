// The rules of the forms, with reasons in words. They repeat the runtime's; a test compares the two.
// Plain browser code without a build step, as all scripts here; they load in any order and meet in `wiotpGateway`.
((root) => {
    "use strict";

    root.wiotpGateway = root.wiotpGateway ?? {};
    const forms = root.wiotpGateway;
    if (forms.rules) return;

    // Each rule returns undefined when the value is good, else the key of the reason and its parameters.

    /** Whether a value is `${NAME}`, which Node-RED replaces before the node runs. */
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
            const host = String(value ?? "").trim();
            if (host === "") return { key: "required" };
            const ipv6 = /^[0-9A-Fa-f:.]+(?:%\w+)?$/.test(host) && host.split(":").length > 2;
            return ipv6 || /^[^\s/:@?#[\]\\]+$/.test(host) ? undefined : { key: "host" };
        },
        path: (value) => (/^\/[^\s#]*$/.test(value) ? undefined : { key: "path" }),
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
            forms.current(node, "platform") === "maximo" && value !== "tls" && value !== "wss" ? { key: "transport" } : undefined,
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

    /** What a flow leaves out has its default, as at runtime. */
    function given(node, property, value) {
        return value === undefined ? node._def.defaults[property]?.value : value;
    }

    /**
     * True, or the reason in words. Values are never part of a reason: the editor shows some reasons as html.
     */
    function check(node, property, rule, value) {
        if (isVariable(value)) return true;
        const failure = rules[rule](given(node, property, value), property, node);
        if (failure === undefined) return true;
        const label = forms.text(node.type, `label.${property}`);
        return forms.text("gateway-config", `rule.${failure.key}`, { label, min: failure.min, max: failure.max });
    }

    /** As `check`, for a TypedInput: only a plain string can be judged before the flow runs; an expression must parse. */
    function checkTyped(node, property, rule, value, options) {
        const type = given(node, `${property}Type`, forms.current(node, `${property}Type`));
        if (type === "str" || type === undefined) return check(node, property, rule, value);
        const result = isBlank(given(node, property, value))
            ? forms.text("gateway-config", "rule.required", { label: forms.text(node.type, `label.${property}`) })
            : root.RED.utils.validateTypedProperty(given(node, property, value), type, options);
        return result === false
            ? forms.text("gateway-config", "rule.expression", { label: forms.text(node.type, `label.${property}`) })
            : result;
    }

    Object.assign(forms, { isVariable, isBlank, ranges, rules, check, checkTyped });
})(globalThis);
