import type { Load, Spent } from "./feeder";

/** Which events are published. */
export interface EventLoad extends Load {
    /** The messages go to so many devices in turn. */
    readonly devices: number;
    /** The number of the first of them; 0 when absent. */
    readonly firstDevice?: number;
    readonly priority?: "high" | "normal" | "low";
    /** Whether the time of each message is measured. */
    readonly isTimed?: boolean;
    readonly payloadBytes: number;
    readonly qos: 0 | 1;
}

/** What the process of a subject uses of memory, after a garbage collection. */
export interface Memory {
    /** Live objects of the JavaScript heap and what they hold outside of it, in bytes. */
    readonly liveBytes: number;
    readonly residentBytes: number;
    /** The highest resident size since the process started. */
    readonly peakBytes: number;
}

/** What a subject can be asked, with what it answers. */
export interface Requests {
    /** Publishes events until the last one is completed. */
    publish(load: EventLoad): Promise<Spent>;
    /** Counts messages from now on, and answers when so many have come. */
    count(messages: number): Promise<Spent>;
    /** Messages that have reached the counter since the process started. */
    counted(argument: undefined): Promise<number>;
    memory(argument: undefined): Promise<Memory>;
    /** CPU time since the process started, in microseconds. */
    cpu(argument: undefined): Promise<number>;
    /** When the flows started, on the machine's monotonic clock. */
    started(argument: undefined): Promise<{ readonly startedAtMs: number }>;
    /** Events in the outbox, and events written to its file so far. */
    outbox(argument: undefined): Promise<{ readonly events: number; readonly storedEvents: number }>;
    /** Answers when the gateway is connected and its outbox empty, with the times of both on the machine's monotonic clock. */
    drained(argument: undefined): Promise<{ readonly onlineAtMs: number; readonly emptyAtMs: number }>;
    /** Watches from now on how late the event loop is. */
    watchLoop(argument: undefined): Promise<void>;
    /** How late the event loop was at most since `watchLoop`, through what the process itself does. */
    loopDelay(argument: undefined): Promise<{ readonly longestMs: number }>;
}

/** The name of a request. */
export type RequestName = keyof Requests;
/** What a request takes. */
export type Argument<Name extends RequestName> = Parameters<Requests[Name]>[0];
/** What a request is answered. */
export type Answer<Name extends RequestName> = Awaited<ReturnType<Requests[Name]>>;

/** A request on its way to the process of a subject. */
export interface RequestMessage {
    readonly id: number;
    readonly name: RequestName;
    readonly argument: unknown;
}

/** Its answer on the way back. */
export interface AnswerMessage {
    readonly id: number;
    readonly answer?: unknown;
    readonly error?: string;
}
