import type { GatewayError } from "../errors";
import type { DeviceAddress } from "../protocol/identity";
import type { ManagementAnswer, PlatformAction } from "../protocol/management";
import type { RequestData } from "../protocol/management-request";

/** A responder: its settings, and the node behind it. */
export interface Responder {
    readonly options: ResponderOptions;
    readonly listener: ResponderListener;
}

/** The devices that a responder answers for: the gateway itself, or devices behind it; an absent id stands for any. */
export type ResponderTarget =
    | { readonly kind: "gateway" }
    | { readonly kind: "device"; readonly typeId?: string | undefined; readonly deviceId?: string | undefined };

/** The settings of one responder, already validated. */
export interface ResponderOptions {
    readonly target: ResponderTarget;
    /** Whether manage requests are sent automatically. */
    readonly manage: boolean;
    /** Seconds after which the platform considers a device dormant; 0 = never, otherwise at least 3600. */
    readonly lifetimeS: number;
    readonly deviceActions: boolean;
    readonly firmwareActions: boolean;
    /** The bundles of custom actions that are announced. */
    readonly bundles: readonly string[];
    readonly deviceInfo: RequestData;
    readonly metadata: RequestData;
    /** Who answers: the flow, or the gateway at once. */
    readonly respond: "flow" | "auto";
    /** How long the flow has to answer before 500 is sent. */
    readonly timeoutMs: number;
    /** Whether requests that were queued while the gateway was away are passed on or refused. */
    readonly replayed: "pass" | "refuse";
}

/** A request as flows see it in `msg.dm`, and its data as they see it in `msg.payload`. */
export interface FlowRequest {
    readonly dm: DeviceAddress & {
        readonly action: PlatformAction;
        readonly reqId?: unknown;
        readonly bundleId?: string;
        readonly actionId?: string;
        /** Names for `observe` and `cancel`, otherwise values by name. */
        readonly fields?: readonly string[] | Readonly<Record<string, unknown>>;
        readonly replayed?: true;
    };
    readonly topic: string;
    readonly payload: unknown;
}

/** The firmware step that an answer of the platform is about. */
export interface FirmwareReport extends DeviceAddress {
    readonly action: "firmware";
    readonly step: string;
}

/** The devices and requests that a responder has to do with. */
export interface ResponderCounts {
    /** Devices that the platform manages. */
    readonly managed: number;
    /** Devices whose manage request waits for its turn, its answer or its next attempt. */
    readonly pending: number;
    /** Devices that the platform rejected, and the code that it gave for one of them. */
    readonly rejected: number;
    readonly rejectedRc?: number;
    /** Requests of the platform that the flow has not answered yet. */
    readonly requests: number;
}

/** What a responder is notified of. None of these may throw. */
export interface ResponderListener {
    /** A request that the flow is to carry out, and to answer unless the gateway has. */
    requestReceived(request: FlowRequest): void;
    /** The platform's answer to the notification of a firmware step. */
    firmwareAnswered(report: FirmwareReport, answer: ManagementAnswer): void;
    /** Something failed that the flow sent no message for. `about` may be shown. */
    raised(error: GatewayError, about: Partial<DeviceAddress> & { readonly action?: string; readonly payload?: Buffer }): void;
    /** Something was done that the author of the flow should look at. */
    warned(text: string): void;
    /** The target became ambiguous, or (undefined) unambiguous again. */
    conflictChanged(error: GatewayError | undefined): void;
    /** The counts changed; called at most four times a second. */
    countsChanged(counts: ResponderCounts): void;
}

/** The outcome of a message that a flow sent in; empty where there is no more to say than that it succeeded. */
export interface FlowOutcome {
    /** The platform's answer, for requests that have one. */
    readonly answer?: ManagementAnswer;
    readonly error?: GatewayError;
}
