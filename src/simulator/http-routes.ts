import { type HttpHandler, problem } from "./http-server";
import { isObject } from "./json";
import type { Simulator } from "./simulator";

/** The simulator's own routes, under `/sim/`. */
export function simulatorRoutes(simulator: Simulator): HttpHandler {
    return (method, path, body) => {
        if (path === "/sim/link" && method === "GET") return { status: 200, body: { down: simulator.linkDown } };
        if (path === "/sim/link" && method === "POST") {
            if (!isObject(body) || typeof body.down !== "boolean")
                return problem(400, 'The body must be {"down": true} or {"down": false}.');
            simulator.setLink(body.down);
            return { status: 200, body: { down: simulator.linkDown } };
        }
        return problem(404, `There is nothing at ${method} ${path}.`);
    };
}
