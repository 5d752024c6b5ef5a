import { type GatewayError, toGatewayError } from "../src/errors";
import { defineType, type Node, type NodeAPI, properties } from "../src/node-red/api";
import { answerMessage, parseResponderSettings, reportMessage, requestMessage, responderStatus } from "../src/node-red/dm-responder";
import { assertPlatformTopics, joinGateway } from "../src/node-red/gateway-node";
import { onInput } from "../src/node-red/message-completion";

/** `dm-responder`: device management of the gateway itself, or of devices behind it. */
export default function register(RED: NodeAPI): void {
    defineType<Node>(RED, "dm-responder", (node, definition) => {
        let counts = { managed: 0, pending: 0, rejected: 0, requests: 0 };
        let conflict: GatewayError | undefined;
        let refusal: GatewayError | undefined;
        const member = joinGateway(RED, node, definition, (state) => responderStatus(state, counts));
        const settings = member.parse((rules) => {
            assertPlatformTopics(rules);
            return parseResponderSettings(definition, rules.ids);
        });

        const responder = member.subscribe((gateway) =>
            gateway.respond(settings(), {
                requestReceived: (request) => member.output.send([requestMessage(request), null]),
                firmwareAnswered: (report, answer) => member.output.send([null, reportMessage(report, answer)]),
                raised: (error, about) => member.output.raise(error, { topic: "device management", ...about }),
                warned: (text) => node.warn(text),
                conflictChanged(error) {
                    conflict = error;
                    member.problemChanged(error ?? refusal, "target");
                },
                rejectionChanged(error) {
                    refusal = error;
                    member.problemChanged(error ?? conflict, "subscription");
                },
                countsChanged(changed) {
                    counts = changed;
                    member.showState();
                },
            }),
        );

        onInput(node, { output: member.output, status: member.status, code: "GW_DM_INVALID" }, (message, completion) => {
            responder().input(properties(message), ({ answer, error }) => {
                if (error) {
                    completion.failed(error);
                    return;
                }
                try {
                    if (answer) node.send([null, answerMessage(message, answer)]);
                    completion.done();
                } catch (thrown) {
                    completion.failed(toGatewayError(thrown, "GW_DM_INVALID"));
                }
            });
        });
    });
}
