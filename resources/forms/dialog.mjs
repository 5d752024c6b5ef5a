// What the five forms share while their dialogs are open: texts, fields, and the reasons below the fields.
((root) => {
    "use strict";

    root.wiotpGateway = root.wiotpGateway ?? {};
    const forms = root.wiotpGateway;
    if (forms.start) return;

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

    /** A select or checkbox cannot show `${NAME}`: where a flow holds one, a text input takes its place, so saving keeps it. */
    function keepVariables(node) {
        for (const property of Object.keys(node._def.defaults)) {
            const input = field(node, property);
            if (!forms.isVariable(node[property]) || !(input.is("select") || input.is(":checkbox"))) continue;
            if (node._def.defaults[property].type) continue;
            const replacement = root.$('<input type="text">').attr("id", input.attr("id")).css("width", "70%").val(node[property]);
            input.replaceWith(replacement);
        }
    }

    /** Shows the default of what a flow leaves out, as flows made by hand do: it is what the runtime takes. */
    function showDefaults(node) {
        const { defaults } = node._def;
        for (const [property, { type, value }] of Object.entries(defaults)) {
            if (node[property] !== undefined || type !== undefined) continue;
            const input = field(node, property);
            const isTyped = input.next().is(".red-ui-typedInput-container");
            if (isTyped && `${property}Type` in defaults) input.typedInput("type", defaults[`${property}Type`].value);
            if (isTyped) input.typedInput("value", value);
            else if (input.is(":checkbox")) input.prop("checked", value);
            else input.val(value);
        }
    }

    /** The editor's own buttons beside a choice of nodes are links to nowhere, which the keyboard does not reach. */
    function reachButtons(form) {
        form.find("a.red-ui-button:not([href])")
            .attr({ tabindex: "0", role: "button" })
            .on("keydown.wiotp-gateway", (event) => {
                if ((event.key !== "Enter" && event.key !== " ") || event.ctrlKey || event.metaKey) return;
                event.preventDefault();
                root.$(event.currentTarget).trigger("click");
            });
    }

    /** Names for screen readers: the editor names neither the visible part of a TypedInput nor the buttons beside a choice of nodes. */
    function nameControls(node, form) {
        // An icon is a letter of its font, which would be read out.
        form.find("label .fa").attr("aria-hidden", "true");
        for (const [property, { type }] of Object.entries(node._def.defaults)) {
            if (type === undefined) continue;
            const button = (action) => root.$(`#${prefix(node)}-btn-${property}-${action}`);
            button("edit").attr("aria-label", root.RED._("editor.editConfig", { type }));
            button("add").attr("aria-label", root.RED._("editor.addNewConfig", { type }));
        }
        form.find(".red-ui-typedInput-container").each((_index, container) => {
            const label = root.$(container).closest(".form-row").children("label");
            const id = `${label.attr("for")}-label`;
            label.attr("id", id);
            root.$(container).find("input").attr("aria-labelledby", id);
            root.$(container)
                .find("button")
                .each((index, button) => {
                    root.$(button).attr("id", `${id}-button-${index}`).attr("aria-labelledby", `${id} ${id}-button-${index}`);
                });
        });
    }

    /** A TypedInput type for an optional JSON object, with the editor's own JSON dialog. */
    function jsonType(node, property, rule) {
        return {
            value: "json",
            label: "JSON",
            icon: "red/images/typedInput/json.svg",
            validate: (value) => forms.check(node, property, rule, value) === true,
            expand() {
                root.RED.editor.editJSON({ value: this.value(), complete: (value) => this.value(value), focus: true });
            },
        };
    }

    /** The gateway-config node that the form selects, if there is one. */
    function selectedGateway(node) {
        return root.RED.nodes.node(current(node, "gateway")) ?? undefined;
    }

    /**
     * Says below each field what is wrong with it. The editor itself says it only to those who point at the field. A field that
     * must be filled in is left alone until the user was there.
     */
    function showReasons(node, visited) {
        for (const [property, { validate }] of Object.entries(node._def.defaults)) {
            const input = field(node, property);
            if (!validate || input.length === 0) continue;
            const typed = input.next(".red-ui-typedInput-container");
            const shown = typed.length === 0 ? input : typed.find("input");
            const outcome = validate.call(node, current(node, property), {});
            const isTold = typeof outcome === "string" && (input.val() !== "" || shown.get().some((element) => visited.has(element)));
            const id = `${input.attr("id")}-reason`;
            root.$(`#${id}`).remove();
            shown.attr({ "aria-invalid": String(outcome !== true), "aria-describedby": isTold ? id : null });
            if (!isTold) continue;
            const indent = input.closest(".form-row").children("label").css("width");
            const reason = root.$("<div>").attr("id", id).text(outcome);
            reason.css({ margin: `2px 0 6px calc(${indent} + 4px)`, color: "var(--red-ui-text-color-error)" });
            (typed.length === 0 ? input : typed).after(reason);
        }
    }

    /** Starts a form: validators read it from now on, and `update` runs now and at every change in it. */
    function start(node, update) {
        open.add(node.id);
        showDefaults(node);
        keepVariables(node);
        const form = field(node, "name").closest("form");
        reachButtons(form);
        nameControls(node, form);
        const visited = new Set();
        form.on("change.wiotp-gateway keyup.wiotp-gateway focusout.wiotp-gateway", (event) => {
            if (event.type === "focusout") visited.add(event.target);
            update();
            showReasons(node, visited);
        });
        update();
        showReasons(node, visited);
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

    Object.assign(forms, { text, current, field, jsonType, selectedGateway, start, end, showRow });
})(globalThis);
