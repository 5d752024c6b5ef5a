import type { Clock, Timer } from "../clock";
import { describeThrown, GatewayError, toGatewayError } from "../errors";
import { shortened, translate } from "../i18n";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import { encodeAnswer, type ManagementAnswer, type PlatformRequest, type RequestId } from "../protocol/management";
import { assertFits } from "../protocol/payload-limit";
import { managementTopic } from "../protocol/topic";
import { isLinkLoss, type ManagementLink, notConnected } from "./ports";
import type { RequestHistory } from "./request-history";
import type { Responder } from "./responder";

/**
 * Remembers the platform's requests and our answers, so that each request id gets exactly one answer.
 *
 * | a request is | until                                                        | if the platform repeats it |
 * |--------------|--------------------------------------------------------------|----------------------------|
 * | waiting      | its flow answers, its time is over (500) or we stop (500)    | nothing happens            |
 * | unsent       | there is a connection                                        | nothing happens            |
 * | answered     | 20 000 others were answered, or 8 million characters of them | the answer is sent again   |
 *
 * An answer becomes unsent again if the connection ends before the platform acknowledges it. A second answer is rejected.
 */
export class PlatformRequests {
    readonly #clock: Clock;
    readonly #link: ManagementLink;
    readonly #history: RequestHistory;
    readonly #listener: PlatformRequestsListener;
    readonly #waiting = new Map<string, WaitingRequest>();
    readonly #answered = new Map<string, AnsweredRequest>();
    readonly #unsent = new Set<AnsweredRequest>();
    #answeredCharacters = 0;
    #isLinkUp = false;

    constructor({ clock, link, history, listener }: PlatformRequestsDeps) {
        this.#clock = clock;
        this.#link = link;
        this.#history = history;
        this.#listener = listener;
    }

    /** Sends the answers that wait for a connection. */
    linkUp(): void {
        this.#isLinkUp = true;
        const unsent = [...this.#unsent];
        this.#unsent.clear();
        for (const answered of unsent) this.#send(answered);
    }

    /** From now on answers are kept for the next connection. */
    linkDown(): void {
        this.#isLinkUp = false;
    }

    /** Answers 500 to every waiting request, and fails the answers that cannot be sent any more. */
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
     * A request arrived. False if it is a repeated one: then all is done that is to be done.
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

    /** Responders were added or removed: a waiting request counts for the one that answers for its device now. */
    recount(): void {
        for (const waiting of this.#waiting.values()) {
            if (waiting.owner) this.#listener.counted(waiting.owner, -1);
            waiting.owner = this.#listener.ownerOf(waiting.request);
            if (waiting.owner) this.#listener.counted(waiting.owner, 1);
        }
    }

    /** Whether no more requests can be given to flows. */
    get isFull(): boolean {
        return this.#waiting.size >= maxWaiting;
    }

    /** A flow works on the request; without an answer in time, 500 is sent. */
    wait(request: AnswerableRequest, timeoutMs: number): void {
        const timer = this.#clock.setTimer(timeoutMs, () => {
            const message = `The flow did not answer within ${timeoutMs / 1000} s.`;
            this.#settle(request.reqId, request, { rc: 500, message }, true);
        });
        const owner = this.#listener.ownerOf(request);
        this.#waiting.set(keyOf(request, request.reqId.value), { request, timer, owner });
        if (owner) this.#listener.counted(owner, 1);
    }

    /**
     * The waiting request that a flow's answer is for.
     * @throws GW_DM_TIMEOUT when 500 was sent meanwhile, GW_DM_INVALID when it was answered before or never received
     */
    find(device: DeviceAddress, reqIdValue: unknown): AnswerableRequest {
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

    /** The same for an answer that the gateway gives automatically: one that is too large becomes 500. Never throws. */
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
        this.#endWaiting(key);
        const answered: AnsweredRequest = { key, device, payload, isTimeout, settle };
        this.#answered.set(key, answered);
        this.#answeredCharacters += key.length + payload.length;
        this.#history.answered(key, answer);
        this.#forgetOldest();
        this.#send(answered);
    }

    #endWaiting(key: string): void {
        const waiting = this.#waiting.get(key);
        if (!waiting) return;
        this.#waiting.delete(key);
        waiting.timer.cancel();
        if (waiting.owner) this.#listener.counted(waiting.owner, -1);
    }

    #send(answered: AnsweredRequest): void {
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

    #giveUp(answered: AnsweredRequest): void {
        const { settle } = answered;
        answered.settle = undefined;
        settle?.(notConnected(translate("management.answerNotSent", { device: deviceKey(answered.device) })));
    }
}

/** A request that wants an answer. */
export type AnswerableRequest = PlatformRequest & { readonly reqId: RequestId };

/** What the platform's requests work with. */
export interface PlatformRequestsDeps {
    readonly clock: Clock;
    readonly link: ManagementLink;
    readonly history: RequestHistory;
    readonly listener: PlatformRequestsListener;
}

/** What the platform's requests need from the rest of device management. */
export interface PlatformRequestsListener {
    /** The responder that answers for a device. */
    ownerOf(device: DeviceAddress): Responder | undefined;
    /** A responder has one request more or less that waits for its flow. */
    counted(owner: Responder, by: 1 | -1): void;
}

interface WaitingRequest {
    readonly request: AnswerableRequest;
    readonly timer: Timer;
    owner: Responder | undefined;
}

interface AnsweredRequest {
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
