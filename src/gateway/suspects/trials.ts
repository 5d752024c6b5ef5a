import type { SentPacket } from "../../connection/sent-packet";
import { type SuspectClient, Trial } from "./trial";

/** All trials of a search. Events are tried by device, so that their order is kept; everything else by its topic or filter. */
export class Trials implements Iterable<Trial> {
    readonly #trials = new Map<string, Trial>();
    #lastId = 0;

    get size(): number {
        return this.#trials.size;
    }

    /** How many of them wait because the connection ended after them. */
    get struckCount(): number {
        let count = 0;
        for (const { isStruck } of this.#trials.values()) if (isStruck) count += 1;
        return count;
    }

    [Symbol.iterator](): Iterator<Trial> {
        return this.#trials.values();
    }

    get(packet: PacketName): Trial | undefined {
        return this.#trials.get(keyOf(packet));
    }

    /** The trial of a device's events. */
    ofDevice(device: string): Trial | undefined {
        return this.#trials.get(keyOf({ kind: "event", device, name: "" }));
    }

    find(id: number): Trial | undefined {
        for (const trial of this.#trials.values()) if (trial.id === id) return trial;
        return undefined;
    }

    /** Opens a trial, in place of an earlier one. */
    open(packet: SentPacket, client: SuspectClient): Trial {
        this.#lastId += 1;
        const trial = new Trial(this.#lastId, packet, client);
        this.#trials.set(keyOf(packet), trial);
        return trial;
    }

    remove(packet: PacketName): void {
        this.#trials.delete(keyOf(packet));
    }

    /** All of them for an operator, the next one to be tested first. */
    views(nowMs: number, dueMs: (trial: Trial) => number): SuspectView[] {
        return [...this]
            .map((trial) => {
                const { id, packet, strikes, isStruck } = trial;
                return { id, packet, strikes, isStruck, dueInMs: Math.max(dueMs(trial) - nowMs, 0) };
            })
            .sort((one, other) => one.dueInMs - other.dueInMs);
    }

    /** The connection is gone: those that are only about it end. */
    endConnection(): void {
        for (const [key, trial] of this.#trials) if (!trial.endConnection()) this.#trials.delete(key);
    }
}

/** One suspect, for an operator. */
export interface SuspectView {
    /** Names it in `SuspectSearch.release`. */
    readonly id: number;
    readonly packet: SentPacket;
    readonly strikes: number;
    /** Whether it waits because the connection ended after it. */
    readonly isStruck: boolean;
    /** In how many milliseconds it is tested, if the connection lasts. */
    readonly dueInMs: number;
}

/** What names a packet: a topic or filter, and for events their device. */
export type PacketName = Pick<SentPacket, "kind" | "name" | "device">;

export function keyOf({ kind, name, device }: PacketName): string {
    return kind === "event" ? `event ${device ?? name}` : `${kind} ${name}`;
}
