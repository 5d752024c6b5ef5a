import { createMachineId, machineClock } from "./machine";
import type { SimulatorClock } from "./timers";

/** The registry's answer for devices whose `typeId/deviceId` matches. The first rule that matches decides. */
export interface RegistrationRule {
    /** A pattern over `typeId/deviceId`; `*` stands for any characters. */
    devices: string;
    /** Return code of the refusal (180, 173, 177, 100 …); absent = the device is accepted. */
    rc?: number;
    /** How long the registry takes to answer; absent = the usual delay. */
    delayMs?: number;
    /** The registry never answers: the device stays pending. */
    never?: boolean;
}

/** How the registry checks and creates devices at their first message. */
export interface RegistrationOptions {
    /** How long the registry takes to answer. */
    delayMs?: number;
    /** Checks that a connection may have pending; each further unchecked device is refused with 173. */
    maxPending?: number;
    /** Devices that one connection may have pending or accepted, the gateway included; each further one is refused with 173. */
    maxPerConnection?: number;
    /** How long the messages of a refused device are dropped without a notification, for every gateway. */
    backoffMs?: number;
    /** Devices that one gateway may create; each further one is refused with 173. */
    maxDevicesPerGateway?: number;
    /** Devices that an organisation may have; each further one is refused with 177. */
    maxDevices?: number;
    /** Whether a device joins the resource group of the gateway that creates it. */
    joinsGroup?: boolean;
    /** Devices that the registry refuses, answers late or never answers. */
    rules?: readonly RegistrationRule[];
}

/** How much a client may send before the platform stops reading it for a while. */
export interface QuotaOptions {
    /** Messages per second and client; 0 = no limit. */
    messagesPerSecond?: number;
    /** Bytes of payload per second and client; 0 = no limit. */
    bytesPerSecond?: number;
}

/** An event for a log: a connection, a refusal, a registration. It never contains a token. */
export interface SimulatorEvent {
    event: string;
    clientId?: string;
    topic?: string;
    device?: string;
    code?: number;
    message?: string;
}

/** The options of a simulator. */
export interface SimulatorOptions {
    /** Address to listen on. Default: loopback. */
    host?: string;
    /** MQTT port; 0 = any free one. */
    port?: number;
    /** Port of the HTTP API; 0 = any free one. Default: the one after `port`. */
    httpPort?: number;
    /** The only organisation; absent = every valid name. */
    organisation?: string;
    /** The token that every client must give; absent = any, or none. */
    token?: string;
    /** Admits plain MQTT clients: those whose client id names no class of the platform. They have topics of their own, and no rules. */
    plain?: boolean;
    /** Payload bytes of one message. */
    maxPayloadBytes?: number;
    /** Filters that a gateway or device may have; one more closes its connection. */
    maxSubscriptions?: number;
    /** Messages kept for each filter; beyond that, the oldest is dropped. */
    queueDepth?: number;
    /** How long each message waits in the queue of its filter, from which UNSUBSCRIBE discards it. */
    deliveryDelayMs?: number;
    /** Messages sent to one client and not yet acknowledged by it. */
    maxInFlight?: number;
    /** Messages of one client that are not yet acknowledged to it; beyond that, it is not read. */
    maxUnacknowledged?: number;
    /** One copy of a message for each matching filter of a client, as on the real platform; false = one for each client. */
    copyPerFilter?: boolean;
    /** Whether the two bytes `DE 00` are sent for each message of a refused device. */
    strayPing?: boolean;
    /** How long those two bytes are held back; then all that were held back are sent as one run. */
    strayPingDelayMs?: number;
    /** Time between an acknowledgement and the notification of the refusal. */
    notificationDelayMs?: number;
    /** How long a client may take to send its CONNECT. */
    connectTimeoutMs?: number;
    registration?: RegistrationOptions;
    quota?: QuotaOptions;
    /** Bundles of custom actions that are installed; absent = every valid name. */
    bundles?: readonly string[];
    /** Leave a manage request with an empty `deviceInfo` unanswered, as the real server was seen to do. */
    ignoreEmptyDeviceInfo?: boolean;
    /** The time for every delay, back-off, quota, keep-alive, lifetime and time stamp. */
    clock?: SimulatorClock;
    /** Makes up the ids of requests and of clients without one. Default: random ones. */
    createId?: () => string;
    /** Received packets that are kept for tests; 0 = only counted. */
    logSize?: number;
    /** Called for every event; must not throw. */
    onEvent?: (event: SimulatorEvent) => void;
}

/** The options with every default filled in. */
export interface Settings {
    host: string;
    port: number;
    httpPort: number;
    organisation: string | undefined;
    token: string | undefined;
    plain: boolean;
    maxPayloadBytes: number;
    maxSubscriptions: number;
    queueDepth: number;
    deliveryDelayMs: number;
    maxInFlight: number;
    maxUnacknowledged: number;
    copyPerFilter: boolean;
    strayPing: boolean;
    strayPingDelayMs: number;
    notificationDelayMs: number;
    connectTimeoutMs: number;
    registration: Required<RegistrationOptions>;
    quota: Required<QuotaOptions>;
    bundles: readonly string[] | undefined;
    ignoreEmptyDeviceInfo: boolean;
    clock: SimulatorClock;
    createId: () => string;
    logSize: number;
    onEvent: (event: SimulatorEvent) => void;
}

const defaultPort = 18830;

/** Fills in the defaults, which are the limits observed on the real platform. */
export function resolveOptions(options: SimulatorOptions): Settings {
    const port = options.port ?? defaultPort;
    return {
        host: options.host ?? "127.0.0.1",
        port,
        httpPort: options.httpPort ?? (port === 0 ? 0 : port + 1),
        organisation: options.organisation,
        token: options.token,
        plain: options.plain ?? false,
        maxPayloadBytes: options.maxPayloadBytes ?? 131072,
        maxSubscriptions: options.maxSubscriptions ?? 50,
        queueDepth: options.queueDepth ?? 5000,
        deliveryDelayMs: options.deliveryDelayMs ?? 0,
        maxInFlight: options.maxInFlight ?? 1000,
        maxUnacknowledged: options.maxUnacknowledged ?? 1000,
        copyPerFilter: options.copyPerFilter ?? true,
        strayPing: options.strayPing ?? true,
        strayPingDelayMs: options.strayPingDelayMs ?? 0,
        notificationDelayMs: options.notificationDelayMs ?? 2,
        connectTimeoutMs: options.connectTimeoutMs ?? 30_000,
        registration: {
            delayMs: 2,
            maxPending: 10,
            maxPerConnection: 500,
            backoffMs: 600_000,
            maxDevicesPerGateway: Number.POSITIVE_INFINITY,
            maxDevices: 1_000_000,
            joinsGroup: true,
            rules: [],
            ...options.registration,
        },
        quota: { messagesPerSecond: 0, bytesPerSecond: 0, ...options.quota },
        bundles: options.bundles,
        ignoreEmptyDeviceInfo: options.ignoreEmptyDeviceInfo ?? true,
        clock: options.clock ?? machineClock,
        createId: options.createId ?? createMachineId,
        logSize: options.logSize ?? 1000,
        onEvent: options.onEvent ?? (() => undefined),
    };
}
