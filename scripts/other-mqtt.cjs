// Preloaded by a test layer: what is loaded as `mqtt` is the module that MQTT_MODULE names, such as the newest release.
const Module = require("node:module");

const resolveFilename = Module._resolveFilename;
const chosen = process.env.MQTT_MODULE;

Module._resolveFilename = function (request, ...more) {
    return resolveFilename.call(this, request === "mqtt" && chosen ? chosen : request, ...more);
};
