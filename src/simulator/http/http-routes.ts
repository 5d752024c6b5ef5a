import { type Faults, isFault } from "../faults";
import { isObject } from "../json";
import { readOrder } from "../management/request-order";
import type { Observation } from "../observation";
import type { Organisation } from "../organisation";
import type { Platform } from "../platform";
import { type HttpAnswer, type HttpHandler, type HttpRequest, problem } from "./http-server";

const apiPrefix = "/api/v0002/mgmt/requests";

/** The HTTP API: management requests as on the real platform, and the simulator's own routes. */
export function httpRoutes(simulator: SimulatorActions, platform: Platform): HttpHandler {
    return (request) => {
        const { path } = request;
        if (path === apiPrefix || path.startsWith(`${apiPrefix}/`)) return managementRoutes(request, platform);
        if (path === "/sim/link") return linkRoute(request, simulator);
        if (path.startsWith("/sim/front-end/") && request.method === "POST") return frontEndRoute(request, simulator, platform);
        if (path === "/sim/faults") return faultsRoute(request, simulator);
        if (path === "/sim/observed" && request.method === "GET") return { status: 200, body: { clients: simulator.observed.allCounts() } };
        if (path === "/sim/devices" && request.method === "GET") return devicesRoute(request, platform);
        return nothing(request);
    };
}

/** What the simulator's own routes show and do. */
export interface SimulatorActions {
    readonly observed: Observation;
    readonly faults: Faults;
    readonly linkDown: boolean;
    setLink(down: boolean): void;
    restartFrontEnd(options: { downMs?: number }): void;
    moveToOtherFrontEnd(clientId: string): boolean;
}

function nothing({ method, path }: HttpRequest): HttpAnswer {
    return problem(404, `There is nothing at ${method} ${path}.`);
}

function linkRoute({ method, body }: HttpRequest, simulator: SimulatorActions): HttpAnswer {
    if (method === "POST") {
        if (!isObject(body) || typeof body.down !== "boolean") return problem(400, 'The body must be {"down": true} or {"down": false}.');
        simulator.setLink(body.down);
    }
    return { status: 200, body: { down: simulator.linkDown } };
}

function frontEndRoute(request: HttpRequest, simulator: SimulatorActions, platform: Platform): HttpAnswer {
    const { downMs, clientId, typeId, deviceId } = isObject(request.body) ? request.body : {};
    switch (request.path) {
        case "/sim/front-end/restart":
            if (request.body !== undefined && typeof downMs !== "number")
                return problem(400, 'The body must be absent or {"downMs": 500}.');
            simulator.restartFrontEnd(typeof downMs === "number" ? { downMs } : {});
            return { status: 204, body: undefined };
        case "/sim/front-end/move":
            if (typeof clientId !== "string") return problem(400, 'The body must be {"clientId": "g:org:type:id"}.');
            if (!simulator.moveToOtherFrontEnd(clientId)) return problem(404, `The client ${clientId} is not connected.`);
            return { status: 204, body: undefined };
        case "/sim/front-end/back-off": {
            const organisation = organisationOf(request.query, platform);
            if (!organisation) return noOrganisation();
            if (typeof typeId !== "string" || typeof deviceId !== "string")
                return problem(400, 'The body must be {"typeId": "type", "deviceId": "id"}.');
            organisation.backOff({ typeId, deviceId });
            return { status: 204, body: undefined };
        }
        default:
            return nothing(request);
    }
}

function faultsRoute(request: HttpRequest, simulator: SimulatorActions): HttpAnswer {
    if (request.method === "DELETE") {
        simulator.faults.clear();
        return { status: 204, body: undefined };
    }
    if (request.method === "GET") return { status: 200, body: { faults: simulator.faults.list() } };
    if (request.method !== "POST") return nothing(request);
    if (!isFault(request.body))
        return problem(400, 'The body must be a fault, like {"fault": "withholdPuback", "topic": "iot-2/*", "times": 1}.');
    simulator.faults.add(request.body);
    return { status: 201, body: request.body };
}

function devicesRoute({ query }: HttpRequest, platform: Platform): HttpAnswer {
    const organisation = organisationOf(query, platform);
    if (!organisation) return noOrganisation();
    const devices = [...organisation.registry.devices()].map((device) => ({
        ...device,
        management: organisation.management.device(device.typeId, device.deviceId),
    }));
    return { status: 200, body: { results: devices } };
}

function managementRoutes(request: HttpRequest, platform: Platform): HttpAnswer {
    const { method, path, query, body } = request;
    const organisation = organisationOf(query, platform);
    if (!organisation) return noOrganisation();
    const { requests } = organisation.management;
    const [id = "", rest = "", ...more] = path.slice(apiPrefix.length + 1).split("/");
    if (id === "" && method === "GET") return { status: 200, body: { results: requests.list() } };
    if (id === "" && method === "POST") {
        const order = readOrder(body, query.get("timeout"), query.get("override"));
        return typeof order === "string" ? problem(400, order) : { status: 202, body: { reqId: requests.start(order) } };
    }
    const known = requests.get(id);
    if (!known || more.length > 0) return nothing(request);
    if (rest === "" && method === "GET") return { status: 200, body: known };
    if (rest === "deviceStatus" && method === "GET") return { status: 200, body: { results: known.devices } };
    if (rest === "cancel" && method === "POST") return { status: requests.cancel(id) ? 200 : 404, body: known };
    if (rest === "" && method === "DELETE") return { status: requests.remove(id) ? 204 : 404, body: undefined };
    return nothing(request);
}

/** The real API takes the organisation from the host name. Here it is the query's `org`, or the only one that exists. */
function organisationOf(query: URLSearchParams, platform: Platform): Organisation | undefined {
    const all = [...platform.organisations()];
    const name = query.get("org") ?? platform.settings.organisation;
    if (name !== undefined) return platform.organisation(name);
    return all.length === 1 ? all[0] : undefined;
}

function noOrganisation(): HttpAnswer {
    return problem(400, "Name the organisation in the query: ?org=…");
}
