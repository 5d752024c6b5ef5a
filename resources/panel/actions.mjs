// What an operator does in the gateway panel: asked once more where it matters, and answered truthfully.
import { server } from "./server.mjs";
import { element, text } from "./words.mjs";

/** Carries an action out and says what came of it; `over` is called when it is, whatever the outcome. */
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

/** Asks before it runs; the question says what will be lost. The keyboard goes to it, and back to where it was. */
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
        // The editor has keys of its own: "delete" would delete a node behind the question.
        event.stopPropagation();
    });
    question.querySelector("button").focus();
}
