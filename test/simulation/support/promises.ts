/** The sentences that the histories check, each with the document that makes the promise. */
export const promises = {
    endsOnce: ["docs/reliability.md", "Each message of the flow ends in exactly one done or one error with a code."],
    reachesBroker: ["docs/reliability.md", "an event that was reported done reaches the broker, whatever happens in between"],
    order: ["docs/kinds-of-data.md", "The order of a device's events is kept within a priority."],
    latest: ["docs/kinds-of-data.md", "After a crash there is the older value or the newer one, never none."],
    commands: ["docs/reliability.md", "commands of QoS 1 reach the flow, in order"],
    noneTwice: ["docs/commands.md", "What does *not* come twice: a command that the flow still has when the link breaks."],
    sameAnswer: ["docs/device-management.md", "the stored answer is sent again; the flow does not run again"],
    onceOnConnection: ["docs/reliability.md", "No event is sent twice on a connection that stays up."],
    age: ["docs/operation.md", "In doubt an event is kept too long, never too short."],
    filters: ["docs/protocol.md", "this package never holds two overlapping"],
    sums: ["docs/monitoring.md", "those events by priority: `high`, `normal`, `low`"],
    account: ["docs/monitoring.md", "The counts of events add up at any moment"],
    health: ["docs/messages.md", "`paused` (connected, but no events are sent)"],
    drains: ["README.md", "events are kept on disk while it is away, then delivered in order and reported"],
} as const satisfies Readonly<Record<string, readonly [document: string, sentence: string]>>;

/** The text of a promise, and what broke it. */
export function broken(promise: keyof typeof promises, what: string): string {
    const [document, sentence] = promises[promise];
    return `${what} (${document}: "${sentence}")`;
}
