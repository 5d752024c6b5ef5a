// The tab of the gateway's form for the user's own broker: topics, client id and user name, with a preview for a sample device.

import { field, text } from "./fields.mjs";
import { shownCommands, shownEvent, topicsOf } from "./gateway-topics.mjs";
import { defaultClientId } from "./previews.mjs";
import { platformTemplates } from "./topic-template.mjs";

/** Topics that can be chosen instead of being written, by the values of the choice. */
export const topicChoices = {
    platform: { eventTopic: "", commandTopic: "" },
    devices: { eventTopic: "{orgId}/{typeId}/{deviceId}/{eventId}", commandTopic: "{orgId}/{typeId}/{deviceId}/cmd/{commandId}" },
    sensors: { eventTopic: "sensors/{deviceId}/telemetry", commandTopic: "sensors/{deviceId}/commands/{commandId}" },
    aws: {
        eventTopic: "dt/{gatewayId}/{typeId}/{deviceId}/{eventId}/{format}",
        commandTopic: "cmd/{gatewayId}/{typeId}/{deviceId}/{commandId}/{format}",
    },
};

const sample = { typeId: "pump", deviceId: "pump-7", eventId: "status", format: "json" };

/** Fills and connects the choice of topics. */
export function startOwnBroker(node) {
    const { $ } = globalThis;
    const choice = $("#gateway-config-topic-choice");
    const words = {
        platform: text("gateway-config", "option.topicsPlatform"),
        aws: text("gateway-config", "option.topicsAws"),
        own: text("gateway-config", "option.topicsOwn"),
    };
    for (const value of [...Object.keys(topicChoices), "own"]) {
        choice.append(
            $("<option>")
                .val(value)
                .text(words[value] ?? topicChoices[value].eventTopic),
        );
    }
    choice.on("change", () => {
        for (const [property, template] of Object.entries(topicChoices[choice.val()] ?? {})) field(node, property).val(template);
    });
}

/** Shows what the settings mean. */
export function showOwnBroker(node, settings) {
    const { $ } = globalThis;
    const { eventTopic, commandTopic } = settings;
    const { areOwn, fault } = topicsOf(settings);
    const overlap = fault?.fault === "overlap" ? fault.topic : "";
    const placeholders = {
        eventTopic: platformTemplates.event,
        commandTopic: platformTemplates.command,
        clientId: defaultClientId(settings),
        userName: "use-token-auth",
    };
    for (const [property, placeholder] of Object.entries(placeholders)) field(node, property).attr("placeholder", placeholder);
    const chosen = Object.entries(topicChoices).find(
        ([, choice]) => choice.eventTopic === eventTopic && choice.commandTopic === commandTopic,
    );
    $("#gateway-config-topic-choice").val(chosen ? chosen[0] : "own");
    $("#gateway-config-preview-event").text(shownEvent(settings, sample));
    $("#gateway-config-preview-commands").text(shownCommands(settings, {}));
    $("#gateway-config-preview-overlap-row").toggle(overlap !== "");
    $("#gateway-config-preview-overlap").text(overlap);
    $("#gateway-config-tip-own-topics").toggle(areOwn);
}
