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

/** Asks before it runs; the question says what will be lost. */
export function confirm(key, parameters, go) {
    const question = globalThis.RED.notify(element("p", "", text(`confirm.${key}`, parameters)), {
        type: "warning",
        modal: true,
        fixed: true,
        buttons: [
            { text: text("cancel"), click: () => question.close() },
            {
                text: text(`action.${key}`),
                class: "primary",
                click: () => {
                    question.close();
                    go();
                },
            },
        ],
    });
}
