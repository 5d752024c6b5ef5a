import type { CompletionCallbacks } from "../event";

/** What an event in memory has besides, if newer ones of its node, device and event id supersede it. Only this file assigns its fields. */
export class LatestState {
    /** Monotonic milliseconds since when it waits. Of one that came back, or from the store, it counts as long ago. */
    waitsSinceMs = Number.NEGATIVE_INFINITY;
    /** Whether this process admitted the event, whatever its number. */
    isOfThisRun = false;
    /** Rows with what the event supersedes, perhaps under its own number: they go in the transaction that stores it. */
    outdatedRows: readonly number[] | undefined = undefined;
    /** Whether one of these rows holds the event itself: it is as safe as before. */
    isInOutdatedRow = false;
    /** Whether the queues count the event as only stored. It is in memory because it is newer than its row, or may be wanted soon. */
    isAtHand = false;
    /** Whether a newer event was delivered while this one is in flight. */
    isOvertaken = false;
    /** Whether its turn has come: nothing supersedes it any more. */
    isDue = false;
    /** Senders of superseded events that are called back when this one is safe. */
    senders: SupersededSenders | undefined = undefined;

    admitted(nowMs: number): void {
        this.waitsSinceMs = nowMs;
        this.isOfThisRun = true;
    }

    /** The event came back from a connection. */
    returned(): void {
        this.waitsSinceMs = Number.NEGATIVE_INFINITY;
        this.isOvertaken = false;
        this.isDue = false;
    }

    /** It only waits to be stored. */
    turnCame(): void {
        this.isDue = true;
    }

    /** Whatever becomes of the event, it is not sent again. */
    overtaken(): void {
        this.isOvertaken = true;
    }

    /** It supersedes what is in these rows, one of which may hold the event itself; undefined: in none that is left. */
    outdates(rows: readonly number[] | undefined, isStored = false): void {
        this.outdatedRows = rows;
        this.isInOutdatedRow = rows !== undefined && (isStored || this.isInOutdatedRow);
    }

    keepAtHand(isAtHand: boolean): void {
        this.isAtHand = isAtHand;
    }

    /** It supersedes an event with this state, whose sender, and those it had taken over, wait for this one. */
    inherit(older: LatestState, completion: CompletionCallbacks | undefined): void {
        if (completion) older.senders = { sender: { callbacks: completion }, older: older.senders };
        if (!this.senders) this.senders = older.senders;
        else for (let each = older.senders; each; each = each.older) this.senders = { sender: each.sender, older: this.senders };
    }

    /** The event is safe, or ended: gives out who is to be called back, each once. */
    takeSenders(): CompletionCallbacks[] {
        const taken: CompletionCallbacks[] = [];
        for (let each = this.senders; each; each = each.older) {
            if (each.sender.callbacks) taken.push(each.sender.callbacks);
            each.sender.callbacks = undefined;
        }
        this.senders = undefined;
        return taken;
    }
}

/**
 * Senders of superseded events. An event that is superseded while it is being written shares them with the newer one: whichever is stored
 * first calls them back.
 */
interface SupersededSenders {
    readonly sender: { callbacks: CompletionCallbacks | undefined };
    readonly older: SupersededSenders | undefined;
}
