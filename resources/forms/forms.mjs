// What the html files of the five nodes make their forms of: `globalThis.wiotpGateway`. Each of them names this module; the browser
// loads it once.

import { suggestFormats, suggestKnown } from "./completion.mjs";
import { startConnectionTest } from "./connection-test.mjs";
import * as dialog from "./dialog.mjs";
import { current, field, selectedGateway, text } from "./fields.mjs";
import { replacedId, shownCommands, shownEvent } from "./gateway-topics.mjs";
import { properties } from "./generated.mjs";
import { showOwnBroker, startOwnBroker } from "./own-broker.mjs";
import * as previews from "./previews.mjs";
import { writeRows } from "./rows.mjs";
import { check, checkTyped, defaultOf } from "./rules.mjs";
import { showTabs } from "./tabs.mjs";
import { jsonInput, typedInput } from "./typed-inputs.mjs";

/** The parts of the definition that a node type gives to `RED.nodes.registerType`. Writes out the rows of its template. */
function form(type) {
    globalThis.$(`script[data-template-name="${type}"]`).text((_index, template) => writeRows(type, template));

    /** For each property that is not always shown: whether it is, from the values of the others. */
    const conditions = new Map();

    return {
        /**
         * The definition of a property. `check` is the name of a check in rules.mjs; numbers need none. `usedIf` tells from the values
         * of other properties whether this one matters: if not, it is neither shown nor judged. With `shownIf` it is judged also while
         * it is not shown.
         */
        property(name, { check: named, usedIf, shownIf } = {}) {
            const rule = properties[type][name] ?? {};
            const checkName = named ?? ("min" in rule ? "number" : undefined);
            const judge = `${name}Type` in properties[type] ? checkTyped : check;
            if (usedIf || shownIf) conditions.set(name, usedIf ?? shownIf);
            const definition = { value: defaultOf(type, name) };
            if (checkName === undefined) return definition;
            // The editor shows the reasons only of validators with two parameters.
            definition.validate = function (value, options) {
                const isUsed = !usedIf || usedIf((other) => current(this, other));
                return !isUsed || judge(this, name, checkName, value, options);
            };
            return definition;
        },

        /** The definition of the property that names the gateway. */
        gateway: () => ({ value: "", type: "gateway-config", required: true, label: text(type, "label.gateway") }),

        /** A function of the definition that gives the text of a label. */
        label(name) {
            return function () {
                return this._(`${type}.label.${name}`);
            };
        },

        /** The label of a node: its name, or what `unnamed` makes of a node without one. */
        nodeLabel(unnamed) {
            return function () {
                return this.name || unnamed.call(this);
            };
        },

        labelStyle() {
            return this.name ? "node_label_italic" : "";
        },

        /** Starts the dialog; `update` runs now and at every change, with a function that gives the value of a property. */
        start(node, update) {
            dialog.start(node, conditions, update);
        },

        /** Ends the dialog, saved or not. */
        end() {
            dialog.end(this);
        },
    };
}

function loadStyles() {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL("forms.css", import.meta.url).href;
    document.head.append(link);
}

// A test without a page looks at the definitions only.
if (globalThis.document) loadStyles();

globalThis.wiotpGateway = {
    form,
    text,
    field,
    selectedGateway,
    suggestFormats,
    suggestKnown,
    typedInput,
    jsonInput,
    showTabs,
    startConnectionTest,
    startOwnBroker,
    showOwnBroker,
    replacedId,
    shownEvent,
    shownCommands,
    ...previews,
};
