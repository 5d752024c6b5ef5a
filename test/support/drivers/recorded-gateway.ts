import path from "node:path";
import { type Clock, systemClock } from "../../../src/clock";
import type { GatewayError } from "../../../src/errors";
import type { EventRequest, Priority } from "../../../src/gateway/events/event-request";
import type { ReceivedNotification } from "../../../src/gateway/events/refusal-handler";
import { Gateway } from "../../../src/gateway/gateway";
import type { LateMessage } from "../../../src/gateway/gateway-listeners";
import { parseGatewayOptions } from "../../../src/gateway/gateway-options";
import type { CommandSubscriber, ReceivedCommand } from "../../../src/gateway/inbound/command";
import { type Machine, thisMachine } from "../../../src/gateway/machine";
import { assertNoSecrets, secretToken } from "../secrets";
import { waitFor } from "../wait-for";

/** A gateway without Node-RED that records what it reports. It does nothing until it is started. */
export class RecordedGateway {
    readonly gateway: Gateway;
    readonly problems: GatewayError[] = [];
    readonly warnings: string[] = [];
    /** Every line for the log: problems, warnings, late errors and the rest. */
    readonly lines: string[] = [];
    readonly late: LateFailure[] = [];
    /** Called with each message that Catch nodes get as undelivered. */
    handedOver: (messageId: string, code: string) => void = () => undefined;
    readonly notifications: ReceivedNotification[] = [];
    readonly commands: ReceivedCommand[] = [];
    /** By message id: `done`, or the code of its error. */
    readonly outcomes = new Map<string, string>();
    /** The same, in the order in which they were decided: an event that ends twice is here twice. */
    readonly endings: string[] = [];
    #messages = 0;

    constructor(port: number, options: TestGatewayOptions = {}) {
        this.gateway = testGateway(port, options);
        this.gateway.listen({
            stateChanged: () => {},
            problem: (error) => {
                this.problems.push(error);
                this.lines.push(error.message);
            },
            log: (text) => this.lines.push(text),
            warn: (text) => {
                this.warnings.push(text);
                this.lines.push(text);
            },
            failedLater: (nodeId, error, message) => {
                this.late.push({ nodeId, error, message });
                return this.lines.push(error.message) > 0;
            },
            undelivered: (nodeId, error, { message }) => {
                this.handedOver(message._msgid, error.code);
                this.late.push({ nodeId, error, message });
                return true;
            },
            undeliveredOrphan: (error) => {
                this.lines.push(error.message);
                return false;
            },
            failedOrphan: (error) => void this.lines.push(error.message),
        });
        this.gateway.flowsStarted();
    }

    get isOnline(): boolean {
        return this.gateway.state.connection.phase === "online";
    }

    /** Records notifications from now on, as a `gateway-notify-in` receives them. */
    receiveNotifications(): void {
        this.gateway.onNotification({
            received: (notification) => this.notifications.push(notification),
            rejectionChanged: () => {},
        });
    }

    /** Records the commands of all devices from now on, as a `device-command-in` receives them. */
    receiveCommands(): void {
        const rejectionChanged = (error?: GatewayError) => error && this.lines.push(error.message);
        this.gateway.onCommand(commandSubscriber((command) => this.commands.push(command), { rejectionChanged }));
    }

    /** Publishes an event with a number as payload; returns its message id. */
    publish(deviceId = "d1", payload = 0, choice: EventChoice = {}): string {
        const { messageId = `m${++this.#messages}`, typeId = "t", completion = "acknowledged", ...rest } = choice;
        const { settled = (outcome: string) => this.#settled(messageId, outcome), ...event } = rest;
        this.gateway.publishEvent(
            testEvent({ device: { typeId, deviceId }, payload: String(payload), completionMode: completion, messageId, ...event }),
            { done: () => settled("done"), failed: (error) => settled(error.code) },
        );
        return messageId;
    }

    /** Waits for the outcome of a message. */
    outcome(messageId: string): Promise<string> {
        return waitFor(() => this.outcomes.get(messageId), `the outcome of ${messageId}`);
    }

    /** Waits for the late errors of a code. */
    async lateErrors(code: string, count = 1): Promise<LateFailure[]> {
        const found = () => this.late.filter(({ error }) => error.code === code);
        await waitFor(() => found().length >= count, `${count} times ${code}`);
        return found();
    }

    /** Waits for a problem whose text matches, and returns it. */
    problem(text: RegExp): Promise<GatewayError> {
        return waitFor(() => this.problems.find(({ message }) => text.test(message)), `a problem like ${text}`).catch((error: Error) => {
            throw new Error(`${error.message}; there were: ${this.problems.map(({ message }) => message).join(" | ")}`);
        });
    }

    /** Ends it. Fails when the token of the tests is in anything that it reported. */
    async close(): Promise<void> {
        await this.gateway.close(3000);
        assertNoSecrets([["what the gateway reported", [...this.lines, JSON.stringify(this.gateway.state)].join("\n")]]);
    }

    #settled(messageId: string, outcome: string): void {
        this.outcomes.set(messageId, outcome);
        this.endings.push(outcome);
    }
}

/** A node that takes the commands of all devices and acknowledges them on receipt, unless it is to be otherwise. */
export function commandSubscriber(received: (command: ReceivedCommand) => void, other: Partial<CommandSubscriber> = {}): CommandSubscriber {
    return {
        nodeId: "command",
        selection: { target: "device", parts: {} },
        qos: 1,
        received(command) {
            received(command);
            return "passed";
        },
        rejectionChanged(error) {
            if (error) throw error;
        },
        ...other,
    };
}

/** An error of a message that was completed before. */
export interface LateFailure {
    readonly nodeId: string;
    readonly error: GatewayError;
    readonly message: LateMessage;
}

/** What a test may choose of an event. */
export interface EventChoice {
    readonly qos?: EventRequest["qos"];
    readonly eventId?: string;
    readonly messageId?: string;
    readonly typeId?: string;
    readonly completion?: EventRequest["completionMode"];
    readonly ttlMs?: number;
    readonly priority?: Priority;
    /** Whether a newer one takes its place while it waits. */
    readonly isLatest?: boolean;
    /** In place of the number. */
    readonly payload?: string;
    /** Called with the outcome, in place of recording it. */
    readonly settled?: (outcome: string) => void;
}

/** Properties as in the editor; the user directory for what is kept on disk, options for Node.js's TLS, and the clock. */
export type TestGatewayOptions = Readonly<Record<string, unknown>> & {
    readonly userDir?: string;
    readonly tls?: object;
    readonly clock?: Clock;
    /** In place of this machine with that clock. */
    readonly machine?: Machine;
};

/** A gateway `gw`/`gw1` of organisation `org` on a server of this machine, with its outbox in memory unless the options say otherwise. */
export function testGateway(
    port: number,
    { userDir, tls = {}, clock = systemClock, machine = { ...thisMachine, clock }, ...properties }: TestGatewayOptions = {},
): Gateway {
    const options = parseGatewayOptions({
        platform: "broker",
        host: "127.0.0.1",
        port,
        transport: "tcp",
        orgId: "org",
        typeId: "gw",
        deviceId: "gw1",
        outbox: "memory",
        // The simulator registers devices.
        registration: "always",
        ...properties,
    });
    const storageDirectory = userDir === undefined ? undefined : path.join(userDir, "wiotp-gateway");
    return new Gateway({ options, token: secretToken, tls: { ...tls }, storageDirectory, machine });
}

/** An event of QoS 1 that is done when the platform has acknowledged it. */
export function testEvent(event: Partial<EventRequest> & Pick<EventRequest, "device">): EventRequest {
    return {
        eventId: "e",
        format: "json",
        payload: "{}",
        qos: 1,
        completionMode: "acknowledged",
        ttlMs: undefined,
        messageId: "m",
        nodeId: "event-node",
        ...event,
    };
}
