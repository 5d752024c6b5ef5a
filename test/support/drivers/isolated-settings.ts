/** Node-RED's settings with which it listens on this machine only, fetches nothing and sends nothing anywhere. */
export const isolatedSettings = {
    uiHost: "127.0.0.1",
    uiPort: 0,
    flowFile: "flows.json",
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false, projects: { enabled: false } },
    // Otherwise the editor fetches the public catalogue.
    externalModules: { palette: { allowInstall: false, allowUpload: false } },
    diagnostics: { ui: false },
    runtimeState: { enabled: false, ui: false },
    logging: { console: { level: "info", metrics: false, audit: false } },
};
