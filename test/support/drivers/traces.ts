import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type OwnRoute, ownRoutes } from "./own-routes";

/** A text in which no secret may be, and where it was found. */
export type Trace = readonly [place: string, text: string];

/** Asks the admin API of a Node-RED, and resolves with the text of the answer. */
export type Ask = (method: string, location: string) => Promise<string>;

/** Asks with a function like `fetch`, and as an editor does. */
export function askWith(request: (location: string, init: RequestInit) => Promise<Response>): Ask {
    const headers = { accept: "application/json", "content-type": "application/json" };
    return async (method, location) => {
        const response = await request(location, { method, headers, ...(method !== "GET" && { body: "{}" }) });
        return response.text();
    };
}

let known: readonly OwnRoute[] | undefined;

/** The answers of every endpoint of the package to a user who may read, for each of these gateways. */
export function answersOf(ask: Ask, gatewayIds: readonly string[]): Promise<Trace[]> {
    known ??= ownRoutes();
    const readable = known.filter(({ permission }) => permission === "gateway-config.read");
    const places = readable.flatMap(({ method, path: route }) =>
        route.includes(":id")
            ? gatewayIds.map((id) => [method, `${route.replace(":id", id)}?kind=deviceId`] as const)
            : [[method, route] as const],
    );
    return Promise.all(places.map(async ([method, route]): Promise<Trace> => [route, await ask(method.toUpperCase(), route.slice(1))]));
}

/** What Node-RED itself exports of the flows, and of the credentials of these gateways. */
export function exportsOf(ask: Ask, gatewayIds: readonly string[]): Promise<Trace[]> {
    const places = ["flows", ...gatewayIds.map((id) => `credentials/gateway-config/${id}`)];
    return Promise.all(places.map(async (place): Promise<Trace> => [place, await ask("GET", place)]));
}

/** The files of a folder and of those below it, installed packages left out. */
export function* filesIn(directory: string): Generator<Trace> {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
        const file = path.join(directory, entry.name);
        if (entry.isDirectory() && entry.name !== "node_modules") yield* filesIn(file);
        else if (entry.isFile()) yield [file, readFileSync(file, "latin1")];
    }
}
