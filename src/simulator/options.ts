/** What the registry answers for devices whose `typeId/deviceId` matches; the first rule that matches decides. */
export interface RegistrationRule {
    /** A pattern over `typeId/deviceId`; `*` stands for any characters. */
    devices: string;
    /** Return code of the refusal (180, 173, 177, 100 …); absent = the device is accepted. */
    rc?: number;
    /** How long the registry takes to answer; absent = the usual delay. */
    delayMs?: number;
    /** The registry never answers: the first contact stays pending. */
    never?: boolean;
}

/** How devices come into being on first contact. */
export interface RegistrationOptions {
    /** How long the registry takes to answer. */
    delayMs?: number;
    /** Registrations a connection may have under way; each further new device is refused with 173. */
    maxPending?: number;
    /** Devices newly checked per connection, the gateway itself included; each further one is refused with 173. */
    maxPerConnection?: number;
    /** How long a device that was refused stays refused without another word, for every gateway. */
    backoffMs?: number;
    /** Devices one gateway may create; beyond, 173. */
    maxDevicesPerGateway?: number;
    /** Devices an organisation may hold; beyond, 177. */
    maxDevices?: number;
    /** Whether a device that a gateway with a resource group creates joins that group. */
    joinsGroup?: boolean;
    /** Devices that are refused, slow or never answered. */
    rules?: readonly RegistrationRule[];
}

/** What a client may send before the platform stops reading it for a while. */
export interface QuotaOptions {
    /** Messages per second and client; 0 = no limit. */
    messagesPerSecond?: number;
    /** Bytes of payload per second and client; 0 = no limit. */
    bytesPerSecond?: number;
}

/** Something that happened, for a log: connections, refusals, registrations. Never carries a token. */
export interface SimulatorEvent {
    event: string;
    clientId?: string;
    topic?: string;
    device?: string;
    code?: number;
    message?: string;
}

/** Everything that can be chosen when a simulator starts. */
export interface SimulatorOptions {
    /** Address to listen on; loopback unless told otherwise. */
    host?: string;
    /** MQTT port; 0 = any free one. */
    port?: number;
    /** Port of the HTTP API; 0 = any free one. Default: the one after `port`. */
    httpPort?: number;
    /** The only organisation; absent = every well-formed one. */
    organisation?: string;
    /** The token every client must give; absent = any, also none. */
    token?: string;
    /** Payload bytes of one message. */
    maxPayloadBytes?: number;
    /** Filters a gateway or device may hold; one more closes its connection. */
    maxSubscriptions?: number;
    /** Messages kept per subscription; beyond, the oldest is dropped. */
    queueDepth?: number;
    /** Messages sent to one client and not yet acknowledged by it. */
    maxInFlight?: number;
    /** Messages of one client that are not yet acknowledged to it; beyond, it is not read. */
    maxUnacknowledged?: number;
    /** One copy of a message per matching filter of a client, as the real platform; false = one per client. */
    copyPerFilter?: boolean;
    /** Whether the two bytes `DE 00` follow a first contact that was refused. */
    strayPing?: boolean;
    /** Time between an acknowledgement and the notification of the refusal. */
    notificationDelayMs?: number;
    /** How long a client may take to send its CONNECT. */
    connectTimeoutMs?: number;
    registration?: RegistrationOptions;
    quota?: QuotaOptions;
    /** Bundles of custom actions that are installed; absent = every well-formed name. */
    bundles?: readonly string[];
    /** Leave a manage request with an empty `deviceInfo` unanswered, as the real server was seen to do. */
    ignoreEmptyDeviceInfo?: boolean;
    /** Where lifetimes of managed devices get the time from, in milliseconds since the Unix epoch. */
    now?: () => number;
    /** Received packets that are remembered for tests; 0 = only counted. */
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
    maxPayloadBytes: number;
    maxSubscriptions: number;
    queueDepth: number;
    maxInFlight: number;
    maxUnacknowledged: number;
    copyPerFilter: boolean;
    strayPing: boolean;
    notificationDelayMs: number;
    connectTimeoutMs: number;
    registration: Required<RegistrationOptions>;
    quota: Required<QuotaOptions>;
    bundles: readonly string[] | undefined;
    ignoreEmptyDeviceInfo: boolean;
    now: () => number;
    logSize: number;
    onEvent: (event: SimulatorEvent) => void;
}

const defaultPort = 18830;

/** Fills in the defaults, which are the limits the real platform was seen to have. */
export function resolveOptions(options: SimulatorOptions): Settings {
    const port = options.port ?? defaultPort;
    return {
        host: options.host ?? "127.0.0.1",
        port,
        httpPort: options.httpPort ?? (port === 0 ? 0 : port + 1),
        organisation: options.organisation,
        token: options.token,
        maxPayloadBytes: options.maxPayloadBytes ?? 131072,
        maxSubscriptions: options.maxSubscriptions ?? 50,
        queueDepth: options.queueDepth ?? 5000,
        maxInFlight: options.maxInFlight ?? 1000,
        maxUnacknowledged: options.maxUnacknowledged ?? 1000,
        copyPerFilter: options.copyPerFilter ?? true,
        strayPing: options.strayPing ?? true,
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
        now: options.now ?? Date.now,
        logSize: options.logSize ?? 1000,
        onEvent: options.onEvent ?? (() => undefined),
    };
}
