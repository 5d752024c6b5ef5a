import type { RoundResult } from "./campaign";

const columns = [
    "fault",
    "rounds",
    "events done",
    "lost",
    "out of order",
    "sent twice",
    "commands",
    "lost",
    "taken twice",
    "lost by the broker",
    "longest outage",
    "status",
    "error",
];

/** The table of a campaign in Markdown, one line for each kind of fault. Every round passed its checks, or it is not in here. */
export function campaignTable(results: readonly RoundResult[]): string {
    const kinds = [...new Set(results.map(({ kind }) => kind))].sort();
    const lines = kinds.map((kind) =>
        line(
            kind,
            results.filter((result) => result.kind === kind),
        ),
    );
    return [row(columns), row(columns.map(() => "---")), ...lines, line("all", results)].join("\n");
}

/** How the memory of Node-RED developed, in a sentence. */
export function memoryLine(results: readonly RoundResult[]): string {
    const megabytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MB`;
    const levels = results.map(({ usedBytes }) => usedBytes);
    return `Memory of Node-RED at rest: ${megabytes(levels[0] ?? 0)} after the first round, ${megabytes(levels.at(-1) ?? 0)} after the last, at most ${megabytes(Math.max(...levels))}.`;
}

function line(name: string, results: readonly RoundResult[]): string {
    const sum = (read: (result: RoundResult) => number) => results.reduce((total, result) => total + read(result), 0);
    const outageMs = Math.max(...results.map((result) => result.outageMs));
    const seen = (read: (result: RoundResult) => readonly string[]) => [...new Set(results.flatMap(read))].sort().join(", ") || "–";
    return row([
        name,
        results.length,
        sum(({ eventsDone }) => eventsDone),
        sum(({ eventsLost }) => eventsLost),
        sum(({ outOfOrder }) => outOfOrder),
        sum(({ eventsSentTwice }) => eventsSentTwice),
        sum(({ commandsSent }) => commandsSent),
        sum(({ commandsLost }) => commandsLost),
        sum(({ commandsTakenTwice }) => commandsTakenTwice),
        sum(({ commandsLostByBroker }) => commandsLostByBroker),
        `${(outageMs / 1000).toFixed(1)} s`,
        name === "all" ? "" : seen(({ statuses }) => statuses),
        name === "all" ? "" : seen(({ codes }) => codes),
    ]);
}

function row(cells: readonly (string | number)[]): string {
    return `| ${cells.join(" | ")} |`;
}
