// The "Test connection" part of the gateway's form: the server tests the settings, and the form shows each finding.

import { current, field } from "./fields.mjs";
import { testedProperties } from "./generated.mjs";

/** What the server needs to know of the form. The token goes along only if it was typed just now. */
function request(node, connect) {
    const settings = Object.fromEntries(testedProperties.map((name) => [name, current(node, name)]));
    const typed = field(node, "token").val();
    // This is what the editor shows in place of a stored password.
    const token = typed === "__PWRD__" ? {} : { token: typed };
    return { settings, environment: environmentOf(node), connect, ...token };
}

/**
 * The variables that the next deploy sets where a node is: their values, or in an object a text that refers to other variables. The
 * server knows those that are secret or the result of an expression.
 */
function environmentOf(node) {
    const { nodes } = globalThis.RED;
    const variables = {};
    const add = (entries = []) => {
        for (const { name, type, value } of entries) {
            delete variables[name];
            if (["str", "num", "bool", "json"].includes(type)) variables[name] = String(value);
            if (type === "env" && value !== name) variables[name] = { text: value.includes("${") ? value : `\${${value}}` };
        }
    };
    nodes.eachConfig((config) => {
        if (config.type === "global-config") add(config.env);
    });
    // The scope of a gateway may be a flow or a subflow.
    add((nodes.workspace(node.z) || nodes.subflow(node.z))?.env);
    return variables;
}

/** The parameters with their times as people of this place write them. */
function readable(parameters) {
    const local = (time) => new Date(time).toLocaleString(globalThis.RED.i18n.lang());
    const times = ["since", "validTo"].filter((name) => name in parameters).map((name) => [name, local(parameters[name])]);
    return { ...parameters, ...Object.fromEntries(times) };
}

/** One line of the report: a sign and a text. What the other side wrote is never taken for html. */
function line(node, { outcome, key, parameters }) {
    const { $ } = globalThis;
    const sign = { ok: "fa-check", failed: "fa-times", note: "fa-info" }[outcome] ?? "fa-info";
    const words = node._(`gateway-config.test.${key}`, readable(parameters ?? {}));
    return $("<li>").append($("<i>").addClass(`fa fa-fw ${sign}`), " ", $("<span>").text(words));
}

/** Connects the buttons of the form. */
export function startConnectionTest(node) {
    const { $ } = globalThis;
    const button = $("#gateway-config-test");
    const connectButton = $("#gateway-config-test-connect");
    const risk = $("#gateway-config-test-risk");
    const report = $("#gateway-config-test-report");
    let latest = 0;

    function run(connect) {
        latest += 1;
        const asked = latest;
        button.prop("disabled", true);
        risk.hide();
        report.empty().append(line(node, { outcome: "note", key: "running" }));
        $.ajax({
            url: `gateway-config/${encodeURIComponent(node.id)}/test`,
            method: "POST",
            contentType: "application/json",
            data: JSON.stringify(request(node, connect)),
        })
            .done(({ steps, mayConnect }) => {
                if (asked !== latest) return;
                report.empty().append(steps.map((step) => line(node, step)));
                risk.toggle(mayConnect === true);
            })
            .fail((answer) => {
                if (asked !== latest) return;
                const key = answer.status === 401 || answer.status === 403 ? "forbidden" : "unavailable";
                report.empty().append(line(node, { outcome: "failed", key }));
            })
            .always(() => {
                if (asked === latest) button.prop("disabled", false);
            });
    }

    /** What was found is about the settings of that moment. */
    function forget() {
        latest += 1;
        button.prop("disabled", false);
        risk.hide();
        report.empty();
    }

    risk.hide();
    button.on("click", () => run(false));
    connectButton.on("click", () => run(true));
    button.closest("form").on("change.wiotp-gateway", "input, select", forget);
}
