import type { MetricType } from "prom-client";
import { systemClock } from "../../clock";
import { healthStates } from "../../gateway/monitor/gateway-health";
import type { GatewayOverview } from "../../gateway/monitor/gateway-overview";
import type { GatewayTotals, LatencyCounts } from "../../gateway/monitor/gateway-statistics";

/** A number of each gateway, or one for each value of a label. */
type Read = (overview: GatewayOverview) => number | Readonly<Record<string, number>>;

interface MetricDefinition {
    readonly name: string;
    readonly help: string;
    readonly kind: "counter" | "gauge";
    /** The label of a metric that has several values for each gateway. */
    readonly label?: string;
    readonly read: Read;
}

/** Every metric but the histograms. The labels are bounded: gateways that run, return codes and reasons this version knows. */
const definitions: readonly MetricDefinition[] = [
    gauge("up", "Whether the gateway is connected to the platform", ({ connection }) => (connection.phase === "online" ? 1 : 0)),
    {
        ...gauge("state", "1 for the state that the gateway is in", ({ health }) =>
            Object.fromEntries(healthStates.map((state) => [state, state === health.state ? 1 : 0])),
        ),
        label: "state",
    },
    counter("events_received_total", "Events that the flows handed over, refused ones too", ({ totals }) => totals.eventsReceived),
    counter(
        "events_published_total",
        "Events that the platform acknowledged, as it does with most that it refuses",
        ({ totals }) => totals.eventsPublished,
    ),
    gauge(
        "events_delivered",
        "Events that arrived, as far as is known: acknowledged, and neither refused nor dropped afterwards",
        ({ totals }) => totals.eventsDelivered,
    ),
    counter("events_rejected_total", "Events that failed before they were taken on", ({ totals }) => totals.eventsRejected),
    gauge("events_taken_over", "Events of earlier runs that waited in the outbox file", ({ totals }) => totals.eventsTakenOver),
    counter("events_stored_total", "Events that had to be written to the outbox file", ({ outbox }) => outbox.storedTotal),
    counter("events_refused_total", "Events that the platform refused for good", ({ totals }) => totals.eventsRefused),
    counter("events_expired_total", "Events that grew too old before they could be delivered", ({ outbox }) => outbox.expiredTotal),
    counter("events_dropped_total", "Events dropped to make room in a full outbox, or by an operator", ({ outbox }) => outbox.droppedTotal),
    counter(
        "events_superseded_total",
        "Events of which a newer one took the place while they waited",
        ({ outbox }) => outbox.supersededTotal,
    ),
    counter(
        "events_undeliverable_total",
        "Events that were given up because the server closed the connection over them",
        ({ outbox }) => outbox.undeliverableTotal,
    ),
    gauge("undelivered", "Events that ended without delivery and are in the list of those", ({ outbox }) => outbox.undelivered),
    counter(
        "undelivered_forgotten_total",
        "Undelivered events that gave way to others in their list",
        ({ outbox }) => outbox.undeliveredForgottenTotal,
    ),
    gauge("outbox_events", "Events that are not acknowledged yet", ({ outbox }) => outbox.events),
    {
        ...gauge("outbox_priority_events", "Events that are not acknowledged yet, by priority", ({ outbox }) => ({
            high: outbox.high,
            normal: outbox.normal,
            low: outbox.low,
        })),
        label: "priority",
    },
    gauge("outbox_oldest_seconds", "Age of the oldest event that is not acknowledged yet, 0 if there is none", ({ outbox }) =>
        outbox.oldestAt === undefined ? 0 : Math.max(systemClock.now() - Date.parse(outbox.oldestAt), 0) / 1000,
    ),
    gauge("outbox_bytes", "Bytes of payloads and ids that are not acknowledged yet", ({ outbox }) => outbox.bytes),
    gauge("outbox_limit_bytes", "Bytes that the outbox keeps at most", ({ outbox }) => outbox.maxBytes),
    gauge("outbox_file_bytes", "Size of the outbox file on the disk", ({ outbox }) => outbox.file?.bytes ?? 0),
    gauge("outbox_in_flight", "Events sent and not acknowledged yet", ({ outbox }) => outbox.inFlight),
    gauge("outbox_held_bytes", "Bytes of devices that are held", ({ outbox }) => outbox.heldBytes),
    gauge("outbox_failing", "Whether the outbox file cannot be used at present", ({ outbox }) => (outbox.problem ? 1 : 0)),
    gauge("devices", "Devices that the gateway remembers", ({ devices }) => devices.remembered),
    gauge("devices_held", "Devices whose events wait after a failed registration", ({ devices }) => devices.held),
    gauge("devices_silent", "Devices that send no event for the time that a node of the flows watches", ({ devices }) => devices.silent),
    {
        ...gauge(
            "certificate_expires_timestamp_seconds",
            "When the certificates of the last connection expire, of those it has",
            (overview) => Object.fromEntries(overview.certificates.map(({ whose, expiresAt }) => [whose, Date.parse(expiresAt) / 1000])),
        ),
        label: "whose",
    },
    counter("commands_received_total", "Commands received from the platform", ({ totals }) => totals.commandsReceived),
    {
        ...counter("commands_total", "Commands that ended, by what became of them", ({ totals }) => totals.commandsEnded),
        label: "outcome",
    },
    gauge("commands_in_work", "Commands that flows have to send back", ({ commands }) => commands.inWork),
    gauge("commands_waiting", "Commands that wait in memory for the flows", ({ commands }) => commands.waiting),
    {
        ...counter("refused_total", "Refusals by the platform of anything, by return code", ({ totals }) => totals.refused),
        label: "rc",
    },
    {
        ...counter("reconnects_total", "Attempts to connect again, by reason", ({ totals }) => totals.reconnects),
        label: "reason",
    },
];

function counter(name: string, help: string, read: Read): MetricDefinition {
    return { name: `wiotp_gateway_${name}`, help, kind: "counter", read };
}

function gauge(name: string, help: string, read: Read): MetricDefinition {
    return { name: `wiotp_gateway_${name}`, help, kind: "gauge", read };
}

/** The metrics of all gateways in the text format of Prometheus; the client library is loaded at the first call. */
export async function renderMetrics(overviews: readonly GatewayOverview[]): Promise<{ contentType: string; text: string }> {
    const { Counter, Gauge, Registry } = await import("prom-client");
    const registry = new Registry();
    const registers = [registry];
    for (const { name, help, kind, label, read } of definitions) {
        const labelNames = ["gateway", ...(label === undefined ? [] : [label])];
        const metric =
            kind === "counter" ? new Counter({ name, help, labelNames, registers }) : new Gauge({ name, help, labelNames, registers });
        for (const overview of overviews) {
            const value = read(overview);
            const values = typeof value === "number" ? { "": value } : value;
            for (const [labelled, each] of Object.entries(values)) {
                metric.inc({ gateway: overview.identity, ...(label !== undefined && { [label]: labelled }) }, each);
            }
        }
    }

    /** A histogram that was counted elsewhere; the library's own can only count one observation at a time. */
    class CountedHistogram extends Gauge {
        readonly #read: (totals: GatewayTotals) => LatencyCounts;

        constructor(name: string, help: string, read: (totals: GatewayTotals) => LatencyCounts) {
            super({ name: `wiotp_gateway_${name}`, help, registers });
            this.#read = read;
        }

        override async get() {
            const about = await super.get();
            const values = overviews.flatMap(({ identity, totals }) => histogramValues(about.name, identity, this.#read(totals)));
            return { ...about, type: "histogram" as unknown as MetricType, values };
        }
    }
    new CountedHistogram("puback_seconds", "From sending an event to its acknowledgement", ({ puback }) => puback);
    new CountedHistogram(
        "command_seconds",
        "From receiving a command to its end, of those that flows had to send back",
        ({ commandTime }) => commandTime,
    );
    return { contentType: registry.contentType, text: await registry.metrics() };
}

function histogramValues(name: string, identity: string, counts: LatencyCounts) {
    const buckets: (readonly [number | string, number])[] = [...counts.buckets, ["+Inf", counts.count]];
    return [
        ...buckets.map(([le, value]) => ({ metricName: `${name}_bucket`, labels: { gateway: identity, le }, value })),
        { metricName: `${name}_sum`, labels: { gateway: identity }, value: counts.sumS },
        { metricName: `${name}_count`, labels: { gateway: identity }, value: counts.count },
    ];
}
