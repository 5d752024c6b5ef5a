// The tabs of a form.

import { text } from "./fields.mjs";

/** Makes the tabs of a form of its elements `<type>-tab-<name>`. `toggle` of the returned object shows or hides one of them. */
export function showTabs(type, names) {
    const { $, RED } = globalThis;
    const tabs = RED.tabs.create({
        id: `${type}-tabs`,
        onchange(tab) {
            $(`#${type}-tabs-content`).children().hide();
            $(`#${tab.id}`).show();
        },
    });
    for (const name of names) tabs.addTab({ id: `${type}-tab-${name}`, label: text(type, `tab.${name}`) });
    // The editor's tabs obey the mouse only.
    $(`#${type}-tabs`).on("keydown", "a", function (event) {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        tabs.activateTab($(this).attr("href").slice(1));
    });
    return { toggle: (name, isShown) => $(`#${type}-tabs a[href="#${type}-tab-${name}"]`).parent().toggle(isShown) };
}
