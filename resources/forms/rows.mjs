// Writes the rows of the forms: a label with an icon, and a field.

import { idPrefix } from "./fields.mjs";
import { properties } from "./generated.mjs";

/** The width of a field beside its label; see forms.css. */
export const fieldWidth = "calc(100% - 158px)";
const numberWidth = "110px";

/**
 * A template with its rows written out. `<form-row property="host" icon="server" placeholder="host"></form-row>` stands for the row
 * of a property: the icon is one of Font Awesome 4.7, the placeholder the key of a text, or a property of the message. The rule of
 * the property decides whether the field is a text, a number, a checkbox or a choice; `type="password"` hides what is entered.
 */
export function writeRows(type, template) {
    const rows = template.replace(/<form-row ([^>]*)><\/form-row>/g, (_row, attributes) => {
        const named = [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]);
        return writeRow(type, Object.fromEntries(named));
    });
    return `<div class="wiotp-gateway-form">${rows}</div>`;
}

function writeRow(type, { property, icon, placeholder, type: inputType = "text" }) {
    const id = `${idPrefix(type)}-${property}`;
    const rule = properties[type][property] ?? {};
    const label = `data-i18n="${type}.label.${property}"`;
    if (typeof rule.fallback === "boolean") {
        return `<div class="form-row"><input type="checkbox" id="${id}"> <label for="${id}" ${label}></label></div>`;
    }
    const width = "min" in rule && !placeholder ? numberWidth : fieldWidth;
    const common = `id="${id}" style="width: ${width}"`;
    const field =
        "choices" in rule
            ? `<select ${common}>${rule.choices.map((choice) => writeChoice(type, property, choice)).join("")}</select>`
            : `<input type="${inputType}" ${common}${writePlaceholder(type, property, placeholder)}>`;
    const hidden = `${property}Type` in properties[type] ? `<input type="hidden" id="${id}Type">` : "";
    return `<div class="form-row"><label for="${id}"><i class="fa fa-${icon}"></i> <span ${label}></span></label> ${field}${hidden}</div>`;
}

function writeChoice(type, property, choice) {
    const key = choice === "" ? `${property}FromMessage` : /^\d$/.test(choice) ? `${property}${choice}` : choice;
    return `<option value="${choice}" data-i18n="${type}.option.${key}"></option>`;
}

function writePlaceholder(type, property, placeholder) {
    if (property === "name") return ` data-i18n="[placeholder]${type}.label.name"`;
    if (placeholder === undefined) return "";
    return placeholder.startsWith("msg.")
        ? ` placeholder="${placeholder}"`
        : ` data-i18n="[placeholder]${type}.placeholder.${placeholder}"`;
}
