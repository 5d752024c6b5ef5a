// The operator's actions in the gateway panel: confirmed where data is at stake, and with the real result.
import { server } from "./server.mjs";
import { element, text } from "./words.mjs";

/** Carries out an action and shows its result; calls `over` at the end, whatever the outcome. */
export function run(gatewayId, action, body, over) {
    server
        .act(gatewayId, action, body)
        .done(({ isDone, key, parameters }) => say(text(`outcome.${key}`, parameters), isDone ? "success" : "warning"))
        .fail(({ status, responseJSON }) => say(explain(status, responseJSON), "error"))
        .always(over);
}

function explain(status, answer) {
    const said = typeof answer?.error === "string" && status !== 404 && status !== 401 && status !== 403 ? answer.error : undefined;
    return said ?? text(status === 401 || status === 403 ? "mayNotAct" : server.failureKey(status));
}

export function say(words, type) {
    globalThis.RED.notify(element("p", "", words), { type, timeout: 6000 });
}

/** Asks for confirmation and names what will be lost. The focus moves to the question, and back afterwards. */
export function confirm(key, parameters, go) {
    const before = document.activeElement;
    const words = element("p", "", text(`confirm.${key}`, parameters));
    const question = globalThis.RED.notify(words, {
        type: "warning",
        modal: true,
        fixed: true,
        buttons: [
            { text: text("cancel"), click: () => close() },
            {
                text: text(`action.${key}`),
                class: "primary",
                click: () => {
                    close();
                    go();
                },
            },
        ],
    });
    const close = () => {
        question.close();
        before?.focus();
    };
    question.setAttribute("role", "alertdialog");
    question.setAttribute("aria-label", words.textContent);
    question.addEventListener("keydown", (event) => {
        if (event.key === "Escape") close();
        // The editor has its own keys: "delete" would delete a node behind the question.
        event.stopPropagation();
    });
    question.querySelector("button").focus();
}
