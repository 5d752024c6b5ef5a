import type { Parameter } from "./actions";
import { type Dialogue, DialogueEnded } from "./dialogue";
import type { ManagedDevice } from "./managed-device";
import type { RequestOrder } from "./request-order";

const maxRequests = 1000;

/** The requests from the platform to devices: started, watched, cancelled. */
export class Requests {
    readonly #deps: RequestsDeps;
    readonly #requests = new Map<string, ManagementRequest>();
    readonly #running = new Map<string, Set<Running>>();
    readonly #firmwareRuns = new Map<ManagedDevice, Running>();

    constructor(deps: RequestsDeps) {
        this.#deps = deps;
    }

    /** Starts a request on all its devices at once and returns its id. */
    start(order: RequestOrder): string {
        const { name, parameters, timeoutSeconds, devices } = order;
        const id = this.#deps.createId();
        const request: ManagementRequest = {
            id,
            action: name,
            parameters,
            timeoutSeconds,
            initiated: new Date(this.#deps.now()).toISOString(),
            complete: false,
            devices: devices.map(({ typeId, deviceId }) => ({ typeId, deviceId, complete: false, status: "pending" })),
        };
        this.#makeRoom();
        this.#requests.set(id, request);
        const running = new Set<Running>();
        this.#running.set(id, running);
        for (const status of request.devices) this.#begin(request, status, order, running);
        this.#settle(request);
        return id;
    }

    /** The request of that id, unless it has been removed. */
    get(id: string): ManagementRequest | undefined {
        return this.#requests.get(id);
    }

    /** Every request, the oldest first. */
    list(): ManagementRequest[] {
        return [...this.#requests.values()];
    }

    /** Resolves when the request has ended on every device. */
    async whenComplete(id: string): Promise<ManagementRequest | undefined> {
        await Promise.all([...(this.#running.get(id) ?? [])].map(({ finished }) => finished));
        return this.#requests.get(id);
    }

    /** Cancels a request where it still runs. Returns `false` if there is none of that id. */
    cancel(id: string): boolean {
        for (const running of this.#running.get(id) ?? []) this.#stop(running, "cancelled", "The request was cancelled.");
        return this.#requests.has(id);
    }

    /** Cancels and removes a request. Returns `false` if there is none of that id. */
    remove(id: string): boolean {
        this.cancel(id);
        return this.#requests.delete(id);
    }

    #begin(request: ManagementRequest, status: DeviceStatus, order: RequestOrder, running: Set<Running>): void {
        const device = this.#deps.activeDevice(status.typeId, status.deviceId);
        const blocking = order.action.isFirmware && device ? this.#firmwareRuns.get(device) : undefined;
        if (!device) {
            fail(status, "failed", "The device is not managed.", 404);
        } else if (!order.action.isSupported(device)) {
            fail(status, "failed", `The device does not support ${order.name}.`, 501);
        } else if (blocking && !order.override) {
            fail(status, "failed", "Another firmware request is under way on the device.", 409);
        } else {
            if (blocking) this.#stop(blocking, "cancelled", "Another request took its place.");
            running.add(this.#run(request, status, device, order, running));
        }
    }

    #run(request: ManagementRequest, status: DeviceStatus, device: ManagedDevice, order: RequestOrder, all: Set<Running>): Running {
        const dialogue = this.#deps.open(device);
        const cancelTimeout = this.#deps.after(order.timeoutSeconds * 1000, () =>
            this.#stop(running, "timeout", "The device did not finish in time."),
        );
        const running: Running = { dialogue, ending: "failed", finished: Promise.resolve() };
        if (order.action.isFirmware) this.#firmwareRuns.set(device, running);
        running.finished = order.action
            .run(dialogue, order.parameters)
            .then(() => {
                status.status = "succeeded";
            })
            .catch((error: unknown) => {
                const rc = error instanceof DialogueEnded ? error.rc : undefined;
                fail(status, running.ending, error instanceof Error ? error.message : "The request failed.", rc);
            })
            .then(() => {
                cancelTimeout();
                this.#deps.close(dialogue);
                status.complete = true;
                all.delete(running);
                if (this.#firmwareRuns.get(device) === running) this.#firmwareRuns.delete(device);
                this.#settle(request);
            });
        return running;
    }

    #stop(running: Running, ending: RequestStatus, message: string): void {
        running.ending = ending;
        running.dialogue.end(message);
    }

    #settle(request: ManagementRequest): void {
        request.complete = request.devices.every(({ complete }) => complete);
        if (request.complete) this.#running.delete(request.id);
    }

    #makeRoom(): void {
        for (const [id, { complete }] of this.#requests) {
            if (this.#requests.size < maxRequests) return;
            if (complete) this.#requests.delete(id);
        }
    }
}

/** The progress of a request on one device. */
export interface DeviceStatus {
    typeId: string;
    deviceId: string;
    complete: boolean;
    status: RequestStatus;
    rc?: number;
    message?: string;
}

export type RequestStatus = "pending" | "succeeded" | "failed" | "timeout" | "cancelled";

/** A request to devices, as the HTTP API shows it. */
export interface ManagementRequest {
    id: string;
    action: string;
    parameters: Parameter[];
    timeoutSeconds: number;
    initiated: string;
    complete: boolean;
    devices: DeviceStatus[];
}

/** The server that carries the requests out. */
export interface RequestsDeps {
    /** The device, if it is managed now. */
    activeDevice(typeId: string, deviceId: string): ManagedDevice | undefined;
    open(device: ManagedDevice): Dialogue;
    close(dialogue: Dialogue): void;
    after(delayMs: number, action: () => void): () => void;
    /** Milliseconds since the Unix epoch. */
    now(): number;
    createId(): string;
}

interface Running {
    dialogue: Dialogue;
    /** The status that it gets if its dialogue ends early. */
    ending: RequestStatus;
    finished: Promise<void>;
}

function fail(status: DeviceStatus, ending: RequestStatus, message: string, rc?: number): void {
    status.complete = true;
    status.status = ending;
    status.message = message;
    if (rc !== undefined) status.rc = rc;
}
