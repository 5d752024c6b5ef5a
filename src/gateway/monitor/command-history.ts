import { shortened } from "../../i18n";
import type { CommandOutcome, ReceivedCommand } from "../inbound/command";

/** Remembers the latest commands, each with its outcome. */
export class CommandHistory {
    /** The oldest first. */
    readonly #views: CommandView[] = [];
    /** Of those in work, by the id of the command. */
    readonly #inWork = new Map<string, CommandView>();
    #count = 0;

    /** The oldest first. */
    get items(): readonly CommandView[] {
        return this.#views;
    }

    /** Grows with every change. */
    get count(): number {
        return this.#count;
    }

    /** A command was handed to a flow that has to send it back. */
    started(command: ReceivedCommand): void {
        const view = viewOf(command, "working");
        this.#inWork.set(command.id, view);
        this.#add(view);
    }

    /** A command ended. */
    ended(command: ReceivedCommand, outcome: CommandOutcome, tookMs: number | undefined): void {
        const view = this.#inWork.get(command.id);
        if (!view || tookMs === undefined) {
            this.#add(viewOf(command, outcome));
            return;
        }
        this.#inWork.delete(command.id);
        this.#count += 1;
        view.outcome = outcome;
        view.tookMs = Math.round(tookMs);
        // Later commands have pushed it out of the list.
        if (!this.#views.includes(view)) this.#add(view);
    }

    #add(view: CommandView): void {
        this.#count += 1;
        this.#views.push(view);
        if (this.#views.length > capacity) this.#views.shift();
    }
}

/** A command as it is shown. */
export interface CommandView {
    /** When it was received (wall clock, milliseconds). */
    readonly at: number;
    /** Absent on own topics that do not name it. */
    readonly typeId?: string;
    readonly deviceId: string;
    readonly commandId: string;
    /** The platform may have sent it before. */
    readonly duplicate?: true;
    /** It may be old. */
    readonly replayed?: true;
    /** `working`: a flow has it, and has to send it back. */
    outcome: CommandOutcome | "working";
    /** From its reception to its end; absent where nothing had to be sent back. */
    tookMs?: number;
}

const capacity = 50;
const maxCharacters = 200;

function viewOf(
    { receivedAt, typeId, deviceId, commandId, duplicate, isReplayed }: ReceivedCommand,
    outcome: CommandView["outcome"],
): CommandView {
    return {
        at: receivedAt,
        ...(typeId !== undefined && { typeId: shortened(typeId, maxCharacters) }),
        deviceId: shortened(deviceId, maxCharacters),
        commandId: shortened(commandId, maxCharacters),
        ...(duplicate && { duplicate }),
        ...(isReplayed && { replayed: isReplayed }),
        outcome,
    };
}
