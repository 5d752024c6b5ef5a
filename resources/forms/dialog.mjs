// A dialog while it is open: its rows, its names for screen readers, and the reasons below its fields.

import { current, dialogClosed, dialogOpened, field, idPrefix } from "./fields.mjs";
import { fieldWidth } from "./rows.mjs";
import { defaultOf, hasVariables, noteOnSecret } from "./rules.mjs";

/**
 * Starts a dialog: from now on validators read it. `update` runs now and at every change, with a function that gives the value of a
 * property. `conditions` has for each property that is not always shown a function of the same values.
 */
export function start(node, conditions, update) {
    const form = field(node, "name").closest("form");
    const visited = new Set();
    const value = (property) => current(node, property);
    const refresh = () => {
        for (const [property, isShown] of conditions) field(node, property).closest(".form-row").toggle(isShown(value));
        update(value);
        showReasons(node, visited);
    };
    dialogOpened(node);
    showDefaults(node);
    keepVariables(node);
    reachButtons(form);
    nameControls(node, form);
    form.on("change.wiotp-gateway keyup.wiotp-gateway focusout.wiotp-gateway", (event) => {
        if (event.type === "focusout") visited.add(event.target);
        refresh();
    });
    refresh();
}

/** Ends a dialog, saved or not. */
export function end(node) {
    dialogClosed(node);
    field(node, "name").closest("form").off(".wiotp-gateway");
}

/** Shows the default of what a flow leaves out, as flows made by hand do: it is what the runtime takes. */
function showDefaults(node) {
    const { defaults } = node._def;
    for (const [property, { type }] of Object.entries(defaults)) {
        if (node[property] !== undefined || type !== undefined) continue;
        const input = field(node, property);
        const value = defaultOf(node.type, property);
        const isTyped = input.next().is(".red-ui-typedInput-container");
        if (isTyped && `${property}Type` in defaults) input.typedInput("type", defaultOf(node.type, `${property}Type`));
        if (isTyped) input.typedInput("value", value);
        else if (input.is(":checkbox")) input.prop("checked", value);
        else input.val(value);
    }
}

/** A select or checkbox cannot show a variable: where a flow holds one, a text input takes its place, so saving keeps it. */
function keepVariables(node) {
    for (const [property, { type }] of Object.entries(node._def.defaults)) {
        const input = field(node, property);
        if (type !== undefined || !hasVariables(node[property]) || !input.is("select, :checkbox")) continue;
        const replacement = globalThis.$('<input type="text">').attr("id", input.attr("id")).css("width", fieldWidth);
        input.replaceWith(replacement.val(node[property]));
    }
}

/** The editor's own buttons beside a choice of nodes are links to nowhere, which the keyboard does not reach. */
function reachButtons(form) {
    form.find("a.red-ui-button:not([href])")
        .attr({ tabindex: "0", role: "button" })
        .on("keydown.wiotp-gateway", (event) => {
            if ((event.key !== "Enter" && event.key !== " ") || event.ctrlKey || event.metaKey) return;
            event.preventDefault();
            globalThis.$(event.currentTarget).trigger("click");
        });
}

/** Names for screen readers: the editor names neither the visible part of a TypedInput nor the buttons beside a choice of nodes. */
function nameControls(node, form) {
    const { $, RED } = globalThis;
    // An icon is a letter of its font, which would be read out.
    form.find("label .fa").attr("aria-hidden", "true");
    for (const [property, { type }] of Object.entries(node._def.defaults)) {
        if (type === undefined) continue;
        const button = (action) => $(`#${idPrefix(node.type)}-btn-${property}-${action}`);
        button("edit").attr("aria-label", RED._("editor.editConfig", { type }));
        button("add").attr("aria-label", RED._("editor.addNewConfig", { type }));
    }
    form.find(".red-ui-typedInput-container").each((_index, container) => {
        const label = $(container).closest(".form-row").children("label");
        const id = `${label.attr("for")}-label`;
        label.attr("id", id);
        $(container).find("input").attr("aria-labelledby", id);
        $(container)
            .find("button")
            .each((index, button) => {
                $(button).attr("id", `${id}-button-${index}`).attr("aria-labelledby", `${id} ${id}-button-${index}`);
            });
    });
}

/**
 * Shows below each field what is wrong with it. The editor itself shows it only to those who point at the field. A field that
 * must be filled in is left alone until the user was there.
 */
function showReasons(node, visited) {
    for (const [property, { validate }] of Object.entries(node._def.defaults)) {
        const input = field(node, property);
        if (!validate || input.length === 0) continue;
        const typed = input.next(".red-ui-typedInput-container");
        const visible = typed.length === 0 ? input : typed.find("input");
        const outcome = validate.call(node, current(node, property), {});
        const isShown = typeof outcome === "string" && (input.val() !== "" || visible.get().some((element) => visited.has(element)));
        visible.attr("aria-invalid", String(outcome !== true));
        showReason(input, typed.length === 0 ? input : typed, visible, isShown ? outcome : undefined);
    }
    for (const property of Object.keys(node._def.credentials ?? {})) {
        const input = field(node, property);
        showReason(input, input, input, noteOnSecret(node, property, input.val()));
    }
}

/** Shows a reason below a field, or removes the one that is there. */
function showReason(input, place, visible, text) {
    const id = `${input.attr("id")}-reason`;
    globalThis.$(`#${id}`).remove();
    visible.attr("aria-describedby", text === undefined ? null : id);
    if (text === undefined) return;
    const indent = input.closest(".form-row").children("label").css("width");
    const reason = globalThis.$("<div>").attr("id", id).text(text);
    place.after(reason.css({ margin: `2px 0 6px calc(${indent} + 4px)`, color: "var(--red-ui-text-color-error)" }));
}
