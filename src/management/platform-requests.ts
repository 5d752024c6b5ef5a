import type { Clock, Timer } from "../clock";
import { describeThrown, GatewayError, toGatewayError } from "../errors";
import { shortened, translate } from "../i18n";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import { encodeAnswer, type ManagementAnswer, type PlatformRequest, type RequestId } from "../protocol/management";
import { assertFits } from "../protocol/payload-limit";
import { managementTopic } from "../protocol/topic";
import { isLinkLoss, type ManagementLink, notConnected } from "./ports";
import type { RequestHistory } from "./request-history";

/** A request that a flow is working on. */
export interface WaitingRequest {
    readonly request: PlatformRequest & { readonly reqId: RequestId };
    readonly timer: Timer;
}

interface Answered {
    readonly key: string;
    readonly device: DeviceAddress;
    readonly payload: string;
    readonly isTimeout: boolean;
    settle?: ((error?: GatewayError) => void) | undefined;
}

/** How many requests flows may be working on at once; the platform addresses at most 5000 devices with one. */
const maxWaiting = 10_000;
/** How much is remembered of answered requests, to answer a repeated one alike. */
const maxAnswered = 20_000;
const maxAnsweredCharacters = 8_000_000;

/**
 * Remembers what the platform asked and what was answered, so that each request id gets exactly one answer: a repeated
 * request gets the stored answer again, and a second answer is refused. An answer that could not be sent is kept for the next connection.
 */
export class PlatformRequests {
    readonly #clock: Clock;
    readonly #link: ManagementLink;
    readonly #history: RequestHistory;
    readonly #changed: () => void;
    readonly #waiting = new Map<string, WaitingRequest>();
    readonly #answered = new Map<string, Answered>();
    readonly #unsent = new Set<Answered>();
    #answeredCharacters = 0;
    #isLinkUp = false;

    /** @param changed called when a request begins or ends to wait for a flow */
    constructor(clock: Clock, link: ManagementLink, history: RequestHistory, changed: () => void) {
        this.#clock = clock;
        this.#link = link;
        this.#history = history;
        this.#changed = changed;
    }

    /** Sends the answers that wait for a connection. */
    linkUp(): void {
        this.#isLinkUp = true;
        const unsent = [...this.#unsent];
        this.#unsent.clear();
        for (const answered of unsent) this.#send(answered);
    }

    /** Answers are kept from now on. */
    linkDown(): void {
        this.#isLinkUp = false;
    }

    /** Answers 500 to everything a flow is working on, and fails what cannot be sent any more. */
    close(): void {
        for (const { request } of [...this.#waiting.values()]) {
            this.#settle(
                request.reqId,
                request,
                { rc: 500, message: "The gateway was stopped before the request was carried out." },
                false,
            );
        }
        this.#isLinkUp = false;
        for (const answered of this.#unsent) this.#giveUp(answered);
        this.#unsent.clear();
    }

    /**
     * Takes note of a request. False if it was received before; if it was answered, the answer is sent again.
     * @param action its name, where it could be read
     */
    begin(device: DeviceAddress, reqId: RequestId | undefined, action: string | undefined): boolean {
        const key = reqId && keyOf(device, reqId.value);
        if (key !== undefined && this.#isRepeated(key)) return false;
        const { typeId, deviceId } = device;
        this.#history.received(key, {
            at: this.#clock.now(),
            typeId,
            deviceId,
            from: "platform",
            ...(action !== undefined && { action }),
        });
        return true;
    }

    #isRepeated(key: string): boolean {
        const answered = this.#answered.get(key);
        if (answered && !this.#unsent.has(answered)) this.#send(answered);
        return answered !== undefined || this.#waiting.has(key);
    }

    /** The devices of the requests that flows are working on, one for each request. */
    *waitingDevices(): Iterable<DeviceAddress> {
        for (const { request } of this.#waiting.values()) yield request;
    }

    /** Whether no more requests can be given to flows. */
    get isFull(): boolean {
        return this.#waiting.size >= maxWaiting;
    }

    /** A flow works on the request; without an answer in time, 500 is sent. */
    wait(request: PlatformRequest & { readonly reqId: RequestId }, timeoutMs: number): void {
        const timer = this.#clock.setTimer(timeoutMs, () => {
            const message = `The flow did not answer within ${timeoutMs / 1000} s.`;
            this.#settle(request.reqId, request, { rc: 500, message }, true);
        });
        this.#waiting.set(keyOf(request, request.reqId.value), { request, timer });
        this.#changed();
    }

    /**
     * The request a flow's answer is for.
     * @throws GW_DM_TIMEOUT when 500 was sent meanwhile, GW_DM_INVALID when it was answered before or never received
     */
    find(device: DeviceAddress, reqIdValue: unknown): WaitingRequest["request"] {
        const reqId = shown(reqIdValue);
        const name = deviceKey(device);
        const key = keyOf(device, reqIdValue);
        const waiting = this.#waiting.get(key);
        if (waiting) return waiting.request;
        const answered = this.#answered.get(key);
        if (answered?.isTimeout) {
            throw new GatewayError("GW_DM_TIMEOUT", translate("management.answeredLate", { reqId, device: name }));
        }
        if (answered) throw new GatewayError("GW_DM_INVALID", translate("management.answeredBefore", { reqId, device: name }));
        throw new GatewayError("GW_DM_INVALID", translate("management.noSuchRequest", { reqId, device: name }));
    }

    /**
     * Answers a request for good. `settle` is called when the platform acknowledged the answer, or with the reason it never will.
     * @throws GW_DM_INVALID, GW_PAYLOAD_TOO_LARGE when the answer cannot be sent; the request then still waits for one
     */
    answer(device: DeviceAddress, reqId: RequestId, answer: ManagementAnswer, settle?: (error?: GatewayError) => void): void {
        this.#settle(reqId, device, answer, false, settle);
    }

    /** The same for an answer the gateway gives by itself: one that is too large becomes 500. Never throws. */
    answerAtOnce(device: DeviceAddress, reqId: RequestId, answer: ManagementAnswer): void {
        try {
            this.#settle(reqId, device, answer, false);
        } catch (thrown) {
            // What the platform reads is part of the protocol and English, so it gets the code of the error and not its words.
            const { code } = toGatewayError(thrown, "GW_DM_INVALID");
            this.#settle(reqId, device, { rc: 500, message: `The answer cannot be sent (${code}).` }, false);
        }
    }

    #settle(
        reqId: RequestId,
        { typeId, deviceId }: DeviceAddress,
        answer: ManagementAnswer,
        isTimeout: boolean,
        settle?: (error?: GatewayError) => void,
    ): void {
        const device = { typeId, deviceId };
        const payload = encode(device, answer, reqId);
        const key = keyOf(device, reqId.value);
        this.#waiting.get(key)?.timer.cancel();
        if (this.#waiting.delete(key)) this.#changed();
        const answered: Answered = { key, device, payload, isTimeout, settle };
        this.#answered.set(key, answered);
        this.#answeredCharacters += key.length + payload.length;
        this.#history.answered(key, answer);
        this.#forgetOldest();
        this.#send(answered);
    }

    #send(answered: Answered): void {
        if (!this.#isLinkUp) {
            this.#unsent.add(answered);
            return;
        }
        this.#link.publish(answered.device, responseTopic(answered.device), answered.payload, 1, (error) => {
            if (error && isLinkLoss(error)) {
                this.#unsent.add(answered);
                return;
            }
            if (!error) this.#history.delivered(answered.key);
            const { settle } = answered;
            answered.settle = undefined;
            settle?.(error instanceof GatewayError ? error : undefined);
        });
    }

    #forgetOldest(): void {
        while (this.#answered.size > maxAnswered || this.#answeredCharacters > maxAnsweredCharacters) {
            const [oldest] = this.#answered;
            if (!oldest || this.#answered.size === 1) return;
            const [key, answered] = oldest;
            this.#answered.delete(key);
            this.#answeredCharacters -= key.length + answered.payload.length;
            if (this.#unsent.delete(answered)) this.#giveUp(answered);
        }
    }

    #giveUp(answered: Answered): void {
        const { settle } = answered;
        answered.settle = undefined;
        settle?.(notConnected(translate("management.answerNotSent", { device: deviceKey(answered.device) })));
    }
}

function responseTopic(device: DeviceAddress): string {
    return managementTopic(device, "response");
}

function encode(device: DeviceAddress, answer: ManagementAnswer, reqId: RequestId): string {
    let payload: string;
    try {
        payload = encodeAnswer(answer, reqId);
    } catch (thrown) {
        const text = translate("management.answerNotJson", { device: deviceKey(device), reason: describeThrown(thrown) });
        throw new GatewayError("GW_DM_INVALID", text, { cause: thrown });
    }
    assertFits(responseTopic(device), Buffer.byteLength(payload));
    return payload;
}

/** Request ids are compared by value, since a flow hands back the value and not its text. */
function keyOf(device: DeviceAddress, reqIdValue: unknown): string {
    return `${deviceKey(device)}\n${JSON.stringify(reqIdValue)}`;
}

function shown(value: unknown): string {
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? typeof value);
    return shortened(text, 60);
}
