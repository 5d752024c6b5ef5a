// Node-RED's settings for the demo and for development: only this machine, nothing fetched, nothing sent anywhere.
const path = require("node:path");

// Whoever started Node-RED may be killed; a channel to it says so.
if (process.connected) process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));

module.exports = {
    uiHost: "127.0.0.1",
    uiPort: Number(process.env.PORT ?? 1880),
    flowFile: "flows.json",
    flowFilePretty: true,
    credentialSecret: "demo",
    // Loads this package without installing it.
    nodesDir: path.resolve(__dirname, "../.."),
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false, projects: { enabled: false } },
    externalModules: { palette: { allowInstall: false, allowUpload: false } },
    diagnostics: { ui: false },
    runtimeState: { enabled: false, ui: false },
    logging: { console: { level: "info", metrics: false, audit: false } },
};
