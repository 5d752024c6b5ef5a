// Exported to users as `node-red-contrib-wiotp-gateway/types`: declarations only, and nothing is imported here.

/** What every message of a flow may have. */
export interface WiotpMessage {
    _msgid?: string;
    [property: string]: unknown;
}

/** A message for `device-event-out`. What the form of the node sets takes precedence. */
export interface WiotpEventMessage extends WiotpMessage {
    /** Anything that the format can express. */
    payload: unknown;
    /** The device, unless the form names it. */
    typeId?: string | number;
    deviceId?: string | number;
    /** The format, where the form leaves it blank. */
    format?: string;
    qos?: 0 | 1 | 2;
    /** How urgent the event is, where the form leaves it to the message; `normal` when absent. */
    priority?: "high" | "normal" | "low";
    /** Seconds for which the event stays deliverable. */
    ttl?: number;
}

/** A message for `device-event-out` that controls the link of its gateway, and is no event. */
export interface WiotpGatewayControlMessage extends WiotpMessage {
    gateway: {
        /**
         * `connect`: done when the server has accepted the connection. `disconnect`: done when it has ended. `pause`: stays connected and
         * sends no events. `resume`: sends again.
         */
        readonly action: "connect" | "disconnect" | "pause" | "resume";
    };
}

/** An event that was not delivered, as a Catch node outputs it. A `device-event-out` of the same settings sends the same bytes. */
export interface WiotpUndeliveredMessage extends WiotpMessage {
    undelivered: true;
    payload: unknown;
    typeId: string;
    deviceId: string;
    eventId: string;
    format: string;
    topic: string;
    qos: 1 | 2;
    priority: "high" | "normal" | "low";
    /** When it entered the gateway, ISO 8601. */
    time: string;
    /** What the platform said, of a refused event. */
    refusal?: {
        readonly rc?: number;
        readonly message?: string;
        readonly time?: string;
        readonly willRetry: boolean;
        readonly heldUntil?: string;
    };
}

/** A message from `device-command-in`. */
export interface WiotpCommandMessage extends WiotpMessage {
    /** By format: the parsed value, a string or a Buffer. */
    payload: unknown;
    /** The device that the command is for. Absent on an own broker whose topics name no type. */
    typeId?: string;
    deviceId: string;
    commandId: string;
    /** Absent on an own broker whose topics name no format. */
    format?: string;
    qos: 0 | 1 | 2;
    /** Whether the command may be a repeat. */
    duplicate: boolean;
    topic: string;
    /** When it reached the gateway, ISO 8601. */
    receivedAt: string;
    /** It may be old: it waited at the platform, or is retained. */
    replayed?: true;
    retain?: true;
    /** Names the command. The message that comes back must have it. */
    command: { readonly id: string; readonly nodeId: string };
    /** On the way back, for the answer event. */
    rc?: number | string | boolean;
    message?: string | number | boolean;
}

/** A message from `gateway-notify-in`. */
export interface WiotpNotificationMessage extends WiotpMessage {
    /** What the platform left out is absent. */
    payload: WiotpNotification;
    /** The refused message, if this gateway published it recently. */
    event?: WiotpNotifiedEvent & { readonly candidates: readonly WiotpNotifiedEvent[] };
    /** As received: an object, or text if it is malformed. */
    raw: unknown;
    topic: string;
    /** The notification cannot be read, and `payload` is empty. */
    malformed?: boolean;
}

/** What the platform says about a refusal. */
export interface WiotpNotification {
    /** `publish`, `subscribe`, `unsubscribe`, or another word. */
    request?: string;
    /** ISO 8601. */
    time?: string;
    topic?: string;
    typeId?: string;
    deviceId?: string;
    clientId?: string;
    rc?: number;
    message?: string;
}

/** The health of the gateway, from `gateway-notify-in`. */
export interface WiotpGatewayHealthMessage extends WiotpMessage {
    topic: "gateway";
    payload: WiotpGatewayHealth;
}

/** The health of a gateway. Times are ISO 8601. */
export interface WiotpGatewayHealth {
    /** The names are stable and not translated. */
    readonly state: "connected" | "connecting" | "disconnected" | "paused" | "closed";
    readonly since: string;
    /** The problem, if there is one: the code of the error, and a text for people. */
    readonly code?: string;
    readonly reason?: string;
    /** Events that are not acknowledged yet, and when the oldest of them entered the outbox; the last three are their numbers by priority. */
    readonly waiting: {
        readonly events: number;
        readonly bytes: number;
        readonly oldestAt?: string;
        readonly high: number;
        readonly normal: number;
        readonly low: number;
    };
    /** Present while a backlog gets smaller. */
    readonly drain?: { readonly eventsPerS: number; readonly secondsLeft: number };
    /** Devices that the platform failed to register. */
    readonly held: number;
    /** Events that ended without delivery and are in the list of those. */
    readonly undelivered: number;
    /** The certificate of the last connection that ends first; absent without TLS. `daysLeft` is 0 or less when it has expired. */
    readonly certificate?: { readonly whose: "server" | "client"; readonly expiresAt: string; readonly daysLeft: number };
    /** Events since the start of the gateway. */
    readonly totals: {
        readonly received: number;
        readonly delivered: number;
        readonly refused: number;
        readonly expired: number;
        readonly dropped: number;
        /** Of which a newer event took the place: done, and not sent. */
        readonly superseded: number;
        /** Which were given up because the server closed the connection over them. */
        readonly undeliverable: number;
    };
}

/** A device that has become silent, or sends again, from `gateway-notify-in`. */
export interface WiotpDeviceHealthMessage extends WiotpMessage {
    topic: "devices";
    payload: WiotpDeviceHealth;
}

/** Whether a device is silent. Times are ISO 8601. */
export interface WiotpDeviceHealth {
    readonly typeId: string;
    readonly deviceId: string;
    readonly silent: boolean;
    readonly since: string;
    /** Absent for a device that never sent an event. */
    readonly lastEvent?: string;
}

/** An event that a notification is about. */
export interface WiotpNotifiedEvent {
    readonly _msgid: string;
    readonly nodeId: string;
    readonly typeId: string;
    readonly deviceId: string;
    readonly eventId: string;
    /** ISO 8601. */
    readonly sentAt: string;
}

/** A request of the platform from output 1 of `dm-responder`. The same message, sent back to the node, is the answer. */
export interface WiotpManagementRequest extends WiotpMessage {
    dm: WiotpManagedDevice & {
        readonly action:
            | "device/reboot"
            | "device/factoryReset"
            | "device/update"
            | "firmware/download"
            | "firmware/update"
            | "observe"
            | "cancel"
            | "custom";
        /** Absent when the platform expects no answer. */
        readonly reqId?: unknown;
        /** Of a custom action. */
        readonly bundleId?: string;
        readonly actionId?: string;
        /** The names for `observe` and `cancel`, otherwise the values by name. */
        readonly fields?: readonly string[] | Readonly<Record<string, unknown>>;
        /** The request may be from the past. */
        readonly replayed?: true;
    };
    /** The data of the request. On the way back: the data of the answer. */
    payload: unknown;
    /** On the way back: the code of the answer. Without it, success. */
    rc?: number | string;
    /** On the way back: an explanation for the operator. */
    message?: string;
}

/** A request of your own for `dm-responder`, or a report of progress. */
export interface WiotpManagementOrder extends WiotpMessage {
    dm: Partial<WiotpManagedDevice> &
        (
            | {
                  action: "manage" | "unmanage" | "location" | "addErrorCode" | "clearErrorCodes" | "addLog" | "clearLog" | "notify";
                  /** False: the platform does not answer. */
                  reply?: boolean;
              }
            | {
                  action: "firmware";
                  step: "downloading" | "downloaded" | "updating" | "updated" | "failed";
                  reason?: "memory" | "connection" | "verification" | "image" | "uri";
              }
        );
    /** The data of the request. */
    payload?: unknown;
}

/** The platform's answer from output 2 of `dm-responder`: your own message with the code and the data of the answer. */
export interface WiotpManagementAnswer extends WiotpMessage {
    dm: unknown;
    rc: number;
    message?: string;
    payload: unknown;
}

/** A managed device, or the gateway itself. */
export interface WiotpManagedDevice {
    readonly typeId: string;
    readonly deviceId: string;
}
