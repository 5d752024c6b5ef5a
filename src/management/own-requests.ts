import type { Clock, Timer } from "../clock";
import { describeThrown, GatewayError } from "../errors";
import { translate } from "../i18n";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import type { ManagementAnswer } from "../protocol/management";
import { type OwnAction, type RequestData, requestSuffixes } from "../protocol/management-request";
import { assertFits } from "../protocol/payload-limit";
import { managementTopic } from "../protocol/topic";
import { isLinkLoss, type ManagementLink, notConnected } from "./ports";
import type { FlowOutcome } from "./responder";

/**
 * Our requests to the platform. Each is settled exactly once: by the platform's answer, by the lack of one within the timeout, or by
 * `close`. A request that was acknowledged may still be answered over the next connection of a durable session.
 */
export class OwnRequests {
    readonly #clock: Clock;
    readonly #link: ManagementLink;
    readonly #createId: () => string;
    readonly #timeoutMs: number;
    readonly #waiting = new Map<string, Waiting>();
    #isLinkUp = false;

    constructor({ clock, link, createId, timeoutMs }: OwnRequestsDeps) {
        this.#clock = clock;
        this.#link = link;
        this.#createId = createId;
        this.#timeoutMs = timeoutMs;
    }

    /** From now on requests are sent. */
    linkUp(): void {
        this.#isLinkUp = true;
    }

    /** From now on new requests fail. */
    linkDown(): void {
        this.#isLinkUp = false;
    }

    /** Fails every request that still waits for its answer. */
    close(): void {
        this.#isLinkUp = false;
        for (const [reqId, { settle }] of [...this.#waiting]) {
            this.#forget(reqId);
            settle({ error: notConnected(translate("management.closedUnanswered")) });
        }
    }

    /** Sends a request. `settle` is called once; for a request that cannot be sent, before this returns. */
    send(request: OwnRequest, settle: (outcome: FlowOutcome) => void): void {
        const { device, action } = request;
        const name = deviceKey(device);
        if (!this.#isLinkUp) {
            settle({ error: notConnected(translate("management.notSent", { action, device: name })) });
            return;
        }
        if (this.#waiting.size >= maxWaiting) {
            const text = translate("management.tooManyWaiting", { action, device: name, count: maxWaiting });
            settle({ error: new GatewayError("GW_OUTBOX_FULL", text) });
            return;
        }
        const topic = managementTopic(device, requestSuffixes[action]);
        const reqId = request.reply ? this.#createId() : undefined;
        const encoded = encode(request, topic, { ...(request.data && { d: request.data }), reqId });
        if (encoded instanceof GatewayError) {
            settle({ error: encoded });
            return;
        }
        if (reqId !== undefined) this.#await(reqId, request, settle);
        this.#link.publish(device, topic, encoded, 1, (error) => {
            const failure = error && publishFailure(request, error);
            if (reqId === undefined) settle(failure ? { error: failure } : {});
            else if (failure) this.#forget(reqId)?.settle({ error: failure });
        });
    }

    /** The platform answered. An answer that no request waits for came too late and is ignored. */
    answered(reqId: unknown, answer: ManagementAnswer): void {
        if (typeof reqId === "string") this.#forget(reqId)?.settle({ answer });
    }

    #await(reqId: string, { action, device }: OwnRequest, settle: (outcome: FlowOutcome) => void): void {
        const timer = this.#clock.setTimer(this.#timeoutMs, () => {
            const text = translate("management.unanswered", { action, device: deviceKey(device), seconds: this.#timeoutMs / 1000 });
            this.#forget(reqId)?.settle({ error: new GatewayError("GW_DM_TIMEOUT", text) });
        });
        this.#waiting.set(reqId, { settle, timer });
    }

    #forget(reqId: string): Waiting | undefined {
        const waiting = this.#waiting.get(reqId);
        this.#waiting.delete(reqId);
        waiting?.timer.cancel();
        return waiting;
    }
}

/** What our requests work with. */
export interface OwnRequestsDeps {
    readonly clock: Clock;
    readonly link: ManagementLink;
    /** A new id for a request; never the same twice. */
    readonly createId: () => string;
    /** How long the platform has to answer. */
    readonly timeoutMs: number;
}

/** One of our requests to the platform. */
export interface OwnRequest {
    readonly device: DeviceAddress;
    readonly action: OwnAction;
    readonly data?: RequestData | undefined;
    /** False sends no request id, so that the platform does not answer. */
    readonly reply: boolean;
}

interface Waiting {
    readonly settle: (outcome: FlowOutcome) => void;
    readonly timer: Timer;
}

/** How many requests may wait for the platform's answer. */
const maxWaiting = 20_000;

function encode({ action, device }: OwnRequest, topic: string, message: Record<string, unknown>): string | GatewayError {
    try {
        const payload = JSON.stringify(message);
        assertFits(topic, Buffer.byteLength(payload));
        return payload;
    } catch (thrown) {
        if (thrown instanceof GatewayError) return thrown;
        const text = translate("management.requestNotJson", { action, device: deviceKey(device), reason: describeThrown(thrown) });
        return new GatewayError("GW_DM_INVALID", text, { cause: thrown });
    }
}

function publishFailure({ action, device }: OwnRequest, error: Error): GatewayError {
    if (isLinkLoss(error)) return notConnected(translate("management.notAcknowledged", { action, device: deviceKey(device) }), error);
    return error instanceof GatewayError ? error : new GatewayError("GW_NOT_CONNECTED", error.message, { cause: error });
}
