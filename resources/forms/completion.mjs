// Completion of names while the user types: of what the deployed gateway has seen, or of fixed values.
((root) => {
    "use strict";

    root.wiotpGateway = root.wiotpGateway ?? {};
    const forms = root.wiotpGateway;
    if (forms.offer) return;

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

    /** The type whose devices are wanted, where the form names one: not one that comes with the message, and not any. */
    function knownType(node) {
        const typeId = forms.current(node, "typeId");
        const isNamed = (forms.current(node, "typeIdType") ?? "str") === "str" && typeId !== "+" && !forms.isVariable(typeId);
        return isNamed ? { typeId } : {};
    }

    /** Asks the deployed gateway what it knows of; without an answer there are no suggestions. */
    function searchInventory(node, kind) {
        return (typed, done) => {
            const gateway = forms.selectedGateway(node);
            if (!gateway) return done([]);
            const query = { kind, q: typed, ...(kind === "deviceId" ? knownType(node) : {}) };
            root.$.getJSON(`gateway-config/${encodeURIComponent(gateway.id)}/inventory`, query)
                .done((values) => done(offer(typed, Array.isArray(values) ? values.map(String) : [])))
                .fail(() => done([]));
        };
    }

    /** Suggests what the gateway has seen lately, in a plain text input. */
    function suggestKnown(node, property) {
        forms.field(node, property).autoComplete({ minLength: 0, search: searchInventory(node, property) });
    }

    /** The string type of a TypedInput, with suggestions of what the gateway has seen lately. */
    function knownString(node, property) {
        return { value: "str", label: "string", icon: "red/images/typedInput/az.svg", autoComplete: searchInventory(node, property) };
    }

    Object.assign(forms, { offer, suggestFrom, suggestKnown, knownString });
})(globalThis);
