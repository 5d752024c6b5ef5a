// What the forms show of topics and addresses. Placeholders stand for what is known only when a message comes.
((root) => {
    "use strict";

    root.wiotpGateway = root.wiotpGateway ?? {};
    const forms = root.wiotpGateway;
    if (forms.topics) return;

    /** What stands for a TypedInput in a preview: the string itself, or where it will come from. */
    function placeholder(value, type) {
        if (type === undefined || type === "str") return forms.isBlank(value) ? "…" : String(value);
        return type === "jsonata" ? "{jsonata}" : `{${type}.${forms.isBlank(value) ? "…" : value}}`;
    }

    function identityOf(gateway) {
        const known = gateway ?? {};
        return {
            orgId: placeholder(known.orgId),
            typeId: placeholder(known.typeId),
            deviceId: placeholder(known.deviceId),
        };
    }

    const wild = (value) => (forms.isBlank(value) ? "+" : value);

    const topics = {
        clientId: ({ orgId, typeId, deviceId }) => `g:${placeholder(orgId)}:${placeholder(typeId)}:${placeholder(deviceId)}`,
        event: ({ typeId, deviceId, eventId, format }) => `iot-2/type/${typeId}/id/${deviceId}/evt/${eventId}/fmt/${format}`,
        commands: ({ typeId, deviceId, commandId, format }) =>
            `iot-2/type/${wild(typeId)}/id/${wild(deviceId)}/cmd/${wild(commandId)}/fmt/${wild(format)}`,
        notifications: ({ typeId, deviceId }) => `iot-2/type/${typeId}/id/${deviceId}/notify`,
        requests: ({ typeId, deviceId }) => `iotdm-1/type/${wild(typeId)}/id/${wild(deviceId)}/#`,
    };

    /** The address the gateway will dial, as shown in the form. */
    function address({ platform, host, port, transport, path }) {
        const name = platform === "simulator" ? "127.0.0.1" : placeholder(host);
        const number = forms.isBlank(port) ? defaultPort(platform, transport) : port;
        const scheme = { tls: "mqtts", tcp: "mqtt", wss: "wss", ws: "ws" }[platform === "simulator" ? "tcp" : transport] ?? "mqtt";
        return `${scheme}://${name}:${number}${/^wss?$/.test(scheme) ? path || "/" : ""}`;
    }

    /** The port a blank one stands for. */
    function defaultPort(platform, transport) {
        if (platform === "simulator") return "18830";
        if (platform === "maximo") return "443";
        return { tls: "8883", tcp: "1883", wss: "443", ws: "80" }[transport] ?? "8883";
    }

    Object.assign(forms, { placeholder, identityOf, topics, address, defaultPort });
})(globalThis);
