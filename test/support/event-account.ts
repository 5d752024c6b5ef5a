import type { GatewayOverview } from "../../src/gateway/monitor/gateway-overview";

/** How many events of a gateway are not accounted for: more were counted as ended or waiting than as received where it is negative. */
export function unaccountedEvents({ outbox, totals }: Pick<GatewayOverview, "outbox" | "totals">): number {
    const { events, expiredTotal, droppedTotal, supersededTotal, undeliverableTotal } = outbox;
    const { eventsTakenOver, eventsReceived, eventsDelivered, eventsRefused, eventsRejected } = totals;
    const ended = eventsDelivered + eventsRefused + expiredTotal + droppedTotal + supersededTotal + undeliverableTotal + eventsRejected;
    return eventsTakenOver + eventsReceived - events - ended;
}
