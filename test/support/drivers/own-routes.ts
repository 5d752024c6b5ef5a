import register from "../../../nodes/gateway-config";

/** An admin endpoint of this package. */
export interface OwnRoute {
    readonly method: string;
    readonly path: string;
    /** The permission it asks for before anything else; undefined = none. */
    readonly permission: string | undefined;
}

/** Every admin endpoint that the package registers, as it does so with Node-RED. */
export function ownRoutes(): OwnRoute[] {
    const routes: OwnRoute[] = [];
    const permissions = new Map<unknown, string>();
    const note =
        (method: string) =>
        (path: string, ...handlers: unknown[]) =>
            routes.push({ method, path, permission: permissions.get(handlers[0]) });
    const ignore = () => undefined;
    const runtime = {
        httpAdmin: Object.fromEntries(["get", "post", "put", "patch", "delete", "all", "use"].map((method) => [method, note(method)])),
        auth: {
            needsPermission: (permission: string) => {
                const guard = () => undefined;
                permissions.set(guard, permission);
                return guard;
            },
        },
        events: { on: ignore },
        log: { addHandler: ignore },
        comms: { publish: ignore },
        nodes: { registerType: ignore },
        settings: {},
        _: (key: string) => key,
    };
    Reflect.apply(register, undefined, [runtime]);
    return routes;
}
